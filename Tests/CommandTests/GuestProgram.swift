import Foundation

/// Programs for a bare RISC-V board, small enough to be written down: firmware for `--firmware`.
enum GuestProgram {
    /// Switches the board off: writes 0x5555 to the test device at 0x100000.
    static let powerOff = assembled([
        0x0010_02b7,  // lui  t0, 0x100
        0x0000_5337,  // lui  t1, 0x5
        0x5553_0313,  // addi t1, t1, 0x555
        0x0062_a023,  // sw   t1, 0(t0)
        0x0000_006f,  // j    .
    ])

    /// Reports failure 42: writes 42 << 16 | 0x3333 to the test device.
    static let fail42 = assembled([
        0x0010_02b7,  // lui  t0, 0x100
        0x002a_3337,  // lui  t1, 0x2a3
        0x3333_0313,  // addi t1, t1, 0x333
        0x0062_a023,  // sw   t1, 0(t0)
        0x0000_006f,  // j    .
    ])

    /// Resets the board: writes 0x7777 to the test device.
    static let reset = assembled([
        0x0010_02b7,  // lui  t0, 0x100
        0x0000_7337,  // lui  t1, 0x7
        0x7773_0313,  // addi t1, t1, 0x777
        0x0062_a023,  // sw   t1, 0(t0)
        0x0000_006f,  // j    .
    ])

    /// Counts for ever.
    static let busy = assembled([
        0x0013_0313,  // addi t1, t1, 1
        0xffdf_f06f,  // j    .-4
    ])

    /// Writes '>' to the serial port and sleeps for ever.
    static let sleep = assembled([
        0x1000_02b7,  // lui  t0, 0x10000
        0x03e0_0313,  // addi t1, zero, '>'
        0x0062_8023,  // sb   t1, 0(t0)
        0x1050_0073,  // wfi
        0xffdf_f06f,  // j    .-4
    ])

    /// Writes '>' to the serial port, sends back what it receives, and switches off after an end of transmission. It sleeps until
    /// there is input: a test that waits for its turn must not keep a processor busy.
    static let echo = assembled([
        0x1000_02b7,  // lui  t0, 0x10000
        0x0010_0313,  // li   t1, 1
        0x0062_80a3,  // sb   t1, 1(t0)     the serial port interrupts for input
        0x0c00_0eb7,  // lui  t4, 0xc000
        0x026e_a423,  // sw   t1, 40(t4)    PLIC: priority 1 for its line, 10
        0x0c00_2f37,  // lui  t5, 0xc002
        0x4000_0393,  // li   t2, 0x400
        0x007f_2023,  // sw   t2, 0(t5)     enabled for hart 0 in M-mode
        0x0c20_0f37,  // lui  t5, 0xc200
        0x000f_2023,  // sw   zero, 0(t5)   threshold 0
        0x0000_13b7,  // lui  t2, 1
        0x0013_d393,  // srli t2, t2, 1
        0x3043_a073,  // csrs mie, t2         wfi ends for external interrupts; none is taken
        0x03e0_0313,  // li   t1, '>'
        0x0062_8023,  // sb   t1, 0(t0)
        0x0052_c383,  // lbu  t2, 5(t0)     wait: line status
        0x0013_f393,  // andi t2, t2, 1
        0x0003_9a63,  // bnez t2, receive
        0x1050_0073,  // wfi
        0x004f_2383,  // lw   t2, 4(t5)     claim
        0x007f_2223,  // sw   t2, 4(t5)     complete
        0xfe9f_f06f,  // j    wait
        0x0002_c303,  // lbu  t1, 0(t0)     receive
        0x0062_8023,  // sb   t1, 0(t0)
        0xffc3_0e13,  // addi t3, t1, -4
        0xfc0e_1ce3,  // bnez t3, wait
        0x0010_02b7,  // lui  t0, 0x100
        0x0000_5337,  // lui  t1, 0x5
        0x5553_0313,  // addi t1, t1, 0x555
        0x0062_a023,  // sw   t1, 0(t0)
        0x0000_006f,  // j    .
    ])

    /// Writes '>' to the serial port. Then it counts in a word of each page of 32 MiB from 0x80400000 on, as fast as it can, and compares each
    /// count with that of the other pages: at a difference it writes '!' and sleeps. After each pass it sends back a byte that it has received.
    static let writer = assembled([
        0x1000_02b7,  // lui  t0, 0x10000
        0x4020_0437,  // lui  s0, 0x40200
        0x0014_1413,  // slli s0, s0, 1
        0x0200_04b7,  // lui  s1, 0x2000
        0x0094_04b3,  // add  s1, s0, s1
        0x0000_0913,  // li   s2, 0
        0x0000_19b7,  // lui  s3, 1
        0x03e0_0313,  // li   t1, '>'
        0x0062_8023,  // sb   t1, 0(t0)
        0x0004_0e13,  // mv   t3, s0          pass
        0x000e_3e83,  // ld   t4, 0(t3)       page
        0x032e_9863,  // bne  t4, s2, differs
        0x001e_8e93,  // addi t4, t4, 1
        0x01de_3023,  // sd   t4, 0(t3)
        0x013e_0e33,  // add  t3, t3, s3
        0xfe9e_66e3,  // bltu t3, s1, page
        0x0019_0913,  // addi s2, s2, 1
        0x0052_c383,  // lbu  t2, 5(t0)       line status
        0x0013_f393,  // andi t2, t2, 1
        0xfc03_8ce3,  // beqz t2, pass
        0x0002_c303,  // lbu  t1, 0(t0)
        0x0062_8023,  // sb   t1, 0(t0)
        0xfcdf_f06f,  // j    pass
        0x0210_0313,  // li   t1, '!'         differs
        0x0062_8023,  // sb   t1, 0(t0)
        0x1050_0073,  // wfi
        0xffdf_f06f,  // j    .-4
    ])

    /// Writes 'x' to the serial port without end, whenever the transmitter is empty.
    static let flood = assembled([
        0x1000_02b7,  // lui  t0, 0x10000
        0x0780_0313,  // addi t1, zero, 'x'
        0x0052_c383,  // lbu  t2, 5(t0)      wait: line status
        0x0203_f393,  // andi t2, t2, 0x20
        0xfe03_8ce3,  // beqz t2, wait
        0x0062_8023,  // sb   t1, 0(t0)
        0xff1f_f06f,  // j    wait
    ])

    /// What `writeAndPowerOff` writes: more than a pipe and all that is queued before it.
    static let writtenCount = 0x4_0000
    static let writeAndPowerOff = writing(0x40)
    /// What `writeLittleAndPowerOff` writes: more than a pipe holds, but not more than the console queues besides.
    static let littleCount = 0x1_1000
    static let writeLittleAndPowerOff = writing(0x11)

    /// Writes `pages` times 4096 'x' to the serial port, whenever the transmitter is empty, and switches the board off.
    private static func writing(_ pages: UInt32) -> Data {
        assembled([
            0x1000_02b7,  // lui  t0, 0x10000
            0x0000_0eb7 | pages << 12,  // lui  t4, pages
            0x0780_0313,  // addi t1, zero, 'x'
            0x0052_c383,  // lbu  t2, 5(t0)      wait: line status
            0x0203_f393,  // andi t2, t2, 0x20
            0xfe03_8ce3,  // beqz t2, wait
            0x0062_8023,  // sb   t1, 0(t0)
            0xfffe_8e93,  // addi t4, t4, -1
            0xfe0e_96e3,  // bnez t4, wait
            0x0010_02b7,  // lui  t0, 0x100
            0x0000_5337,  // lui  t1, 0x5
            0x5553_0313,  // addi t1, t1, 0x555
            0x0062_a023,  // sw   t1, 0(t0)
            0x0000_006f,  // j    .
        ])
    }

    private static func assembled(_ words: [UInt32]) -> Data {
        Data(words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
    }
}

import Aerie
import Foundation
import GuestToolchain

/// Firmware of a few instructions, in a directory that goes away with it.
final class SmallFirmware: Sendable {
    private let directory = TemporaryDirectory()
    let configuration: Configuration

    /// Sleeps for ever.
    static func sleeping() throws -> SmallFirmware {
        try SmallFirmware([
            0x1050_0073,  // wfi
            0xffdf_f06f,  // j    .-4
        ])
    }

    /// Counts for ever.
    static func busy() throws -> SmallFirmware {
        try SmallFirmware([
            0x0013_0313,  // addi t1, t1, 1
            0xffdf_f06f,  // j    .-4
        ])
    }

    /// Writes a counter to each page of 8 MiB behind the first 4 MiB of memory, again and again.
    static func writing() throws -> SmallFirmware {
        try SmallFirmware([
            0x0010_0293,  // li   t0, 1
            0x01f2_9293,  // slli t0, t0, 31
            0x0040_03b7,  // lui  t2, 0x400
            0x0072_82b3,  // add  t0, t0, t2
            0x0080_0eb7,  // lui  t4, 0x800
            0x01d2_8eb3,  // add  t4, t0, t4
            0x0000_1e37,  // lui  t3, 1
            0x0002_8393,  // mv   t2, t0         round:
            0x0013_0313,  // addi t1, t1, 1      page:
            0x0063_b023,  // sd   t1, 0(t2)
            0x01c3_83b3,  // add  t2, t2, t3
            0xffd3_eae3,  // bltu t2, t4, page
            0xfedf_f06f,  // j    round
        ])
    }

    /// Takes each interrupt of the generation ID: copies the ID to 1 MiB behind the start of memory, and counts behind it.
    static func countingGenerations() throws -> SmallFirmware {
        try SmallFirmware([
            0x0c00_02b7,  // lui  t0, 0xc000     the PLIC
            0x0010_0313,  // li t1, 1
            0x0262_a823,  // sw t1, 48(t0)
            0x0c00_23b7,  // lui  t2, 0xc002     enable bits of context 0
            0x0000_1337,  // lui t1, 1
            0x0063_a023,  // sw t1, 0(t2)
            0x0c20_03b7,  // lui  t2, 0xc200     threshold and claim of context 0
            0x0010_3e37,  // lui  t3, 0x103      the generation ID
            0x0010_0e93,  // li t4, 1
            0x01fe_9e93,  // slli t4, t4, 31
            0x0010_0f37,  // lui t5, 256
            0x01ee_8eb3,  // add t4, t4, t5
            0x0043_a303,  // lw t1, 4(t2)
            0xfe03_0ee3,  // beqz t1, .-4
            0x000e_3f03,  // ld t5, 0(t3)
            0x008e_3f83,  // ld t6, 8(t3)
            0x01ee_b023,  // sd t5, 0(t4)
            0x01fe_b423,  // sd t6, 8(t4)
            0x0063_a223,  // sw t1, 4(t2)
            0x010e_bf03,  // ld t5, 16(t4)
            0x001f_0f13,  // addi t5, t5, 1
            0x01ee_b823,  // sd t5, 16(t4)
            0xfd9f_f06f,  // j    .-40
        ])
    }

    /// Switches the board off: writes 0x5555 to the test device at 0x100000.
    static func poweringOff() throws -> SmallFirmware {
        try SmallFirmware([
            0x0010_02b7,  // lui  t0, 0x100
            0x0000_5337,  // lui  t1, 0x5
            0x5553_0313,  // addi t1, t1, 0x555
            0x0062_a023,  // sw   t1, 0(t0)
            0x0000_006f,  // j    .
        ])
    }

    private init(_ words: [UInt32]) throws {
        let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        var configuration = Configuration()
        configuration.firmware = try directory.file("firmware", Data(bytes))
        configuration.memory = .mebibytes(16)
        configuration.engine = .interpret
        self.configuration = configuration
    }

    /// A path for a file of the test.
    func path(_ name: String) -> String { directory.path(name) }
}

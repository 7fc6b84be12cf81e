/// The boot ROM of the RISC-V board, from which every hart starts in machine mode when there is a firmware.
///
/// It hands over what OpenSBI's generic platform expects: the hart's number in a0, the device tree in a1, and in a2 the
/// information for its `fw_dynamic` form, which others ignore. Layout, little endian:
///
///     offset  size  contents
///          0    24  code
///         24     8  address of the firmware's first instruction
///         32     8  address of the device tree
///         40    48  struct fw_dynamic_info (OpenSBI, include/sbi/fw_dynamic.h)
package enum RISCVResetVector {
    /// Where the board has the ROM, and harts start.
    package static let address: UInt64 = 0x1000

    /// `next_mode` of `fw_dynamic_info`: the kernel runs in supervisor mode.
    private static let supervisorMode: UInt64 = 1
    private static let magic: UInt64 = 0x4942_534F  // "OSBI"
    private static let version: UInt64 = 2

    private static let code: [UInt32] = [
        0x0000_0297,  // 0x1000  auipc t0, 0        the ROM's address
        0xF140_2573,  // 0x1004  csrr  a0, mhartid
        0x0202_B583,  // 0x1008  ld    a1, 32(t0)   device tree
        0x0282_8613,  // 0x100c  addi  a2, t0, 40   fw_dynamic_info
        0x0182_B303,  // 0x1010  ld    t1, 24(t0)   firmware
        0x0003_0067,  // 0x1014  jr    t1
    ]

    /// The ROM's contents.
    ///
    /// - Parameter next: where the firmware shall start the kernel.
    package static func contents(firmware: UInt64, deviceTree: UInt64, next: UInt64) -> [UInt8] {
        let options: UInt64 = 0
        let bootHart: UInt64 = 0
        let data = [firmware, deviceTree, magic, version, next, supervisorMode, options, bootHart]
        return code.flatMap { bytes(of: $0) } + data.flatMap { bytes(of: $0) }
    }

    private static func bytes(of value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}

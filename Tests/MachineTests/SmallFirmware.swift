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

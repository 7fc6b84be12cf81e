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

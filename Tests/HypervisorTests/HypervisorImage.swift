import Foundation
import GuestToolchain

/// Packs images of the hypervisor with test guests, and runs them on QEMU and on Aerie.
enum HypervisorImage {
    static let qemu = HostProgram.find("qemu-system-riscv64")
    static let builder = Result { try HypervisorBuilder() }
    static var directory: TemporaryDirectory { get throws { try builder.get().directory } }

    /// Makes a program of `Guests/` for tables to name.
    static func guest(_ name: String) throws { try builder.get().guest(name) }

    static func pack(_ description: String) throws -> (status: Int32, output: String, image: String) {
        try builder.get().pack(description)
    }

    /// Packs and runs on QEMU until the machine powers off; the lines of the console after the firmware's.
    ///
    /// - Parameters:
    ///   - machine: QEMU's `-M`.
    ///   - countsInstructions: virtual time follows executed instructions, and jumps to the next timer where harts wait, so that neither depends on
    ///     the host.
    ///   - devices: QEMU's options for disks and networks.
    static func run(
        _ description: String, harts: Int, machine: String = "virt", countsInstructions: Bool = false,
        devices: [String] = []
    ) throws -> [String] {
        guard let qemu else { throw HostProgram.Failure(description: "qemu-system-riscv64 is not installed") }
        let counting = countsInstructions ? ["-icount", "shift=4,sleep=off"] : []
        return try lines(description) {
            try HostProgram.run(qemu, board(harts: harts, machine: machine) + counting + devices + ["-kernel", $0])
        }
    }

    /// QEMU's options for a board whose console is the program's input and output.
    static func board(harts: Int, machine: String = "virt") -> [String] {
        [
            "-M", machine, "-cpu", "rv64,h=true", "-smp", "\(harts)", "-m", "1G", "-display", "none", "-monitor",
            "none",
            "-serial", "stdio",
        ]
    }

    /// Packs, runs with `program`, which gets the image, and takes the console's lines after the firmware's.
    static func lines(_ description: String, program: (String) throws -> HostProgram.Result) throws -> [String] {
        let (status, output, image) = try pack(description)
        guard status == 0 else { throw HostProgram.Failure(description: output) }
        let result = try program(image)
        let lines = String(decoding: result.output, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        guard result.status == 0, !result.timedOut else {
            throw HostProgram.Failure(description: lines.suffix(40).joined(separator: "\n"))
        }
        return Array(lines.drop { !$0.hasPrefix("hypervisor: ") })
    }
}

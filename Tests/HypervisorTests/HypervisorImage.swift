import Foundation
import GuestToolchain

/// Builds the hypervisor once, packs images of test guests, and runs them on QEMU.
enum HypervisorImage {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let qemu = HostProgram.find("qemu-system-riscv64")
    static let directory = TemporaryDirectory()

    /// The hypervisor without guests.
    static let hypervisor: Result<String, HostProgram.Failure> = attempt {
        guard let toolchain = Toolchain.directory else {
            throw HostProgram.Failure(description: "no swift in PATH, so no compiler beside it")
        }
        let output = directory.path("hypervisor.bin")
        try check(
            "/bin/sh", [root.appending(path: "hypervisor/build").path, toolchain, output, directory.path("scratch")])
        return output
    }

    /// A program of `Guests/` as a flat image; returns its path.
    static func guest(_ name: String) throws -> String {
        let guests = root.appending(path: "Tests/HypervisorTests/Guests")
        let script = root.appending(path: "Tests/GuestToolchain/Guests/link.ld").path
        let linked = directory.path("\(name).elf")
        try Toolchain.run(
            "clang",
            [
                "--target=riscv64-none-elf", "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-fno-pic",
                "-ffreestanding", "-nostdlib", "-fuse-ld=lld", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-main",
                "-I", guests.path, "-Wl,-T,\(script)", "-Wl,--defsym=program_base=0x80200000", "-o", linked,
                guests.appending(path: "start.S").path, guests.appending(path: "\(name).c").path,
            ])
        let flat = directory.path("\(name).bin")
        try Toolchain.run("llvm-objcopy", ["-O", "binary", linked, flat])
        return flat
    }

    /// Packs the text of a GUESTS.json beside the test guests.
    static func pack(_ description: String) throws -> (status: Int32, output: String, image: String) {
        let name = UUID().uuidString
        let table = try directory.file("\(name).json", [UInt8](description.utf8))
        let image = directory.path("\(name).bin")
        let result = try HostProgram.run(
            root.appending(path: "scripts/hypervisor-image").path,
            [table, "-o", image, "--hypervisor", try hypervisor.get()])
        return (result.status, String(decoding: result.output, as: UTF8.self), image)
    }

    /// Packs and runs on QEMU until the machine powers off; the lines of the console after the firmware's.
    ///
    /// - Parameters:
    ///   - countsInstructions: virtual time follows executed instructions, so that shares of time do not depend on the host.
    ///   - devices: QEMU's options for disks and networks.
    static func run(
        _ description: String, harts: Int, countsInstructions: Bool = false, devices: [String] = []
    ) throws -> [String] {
        guard let qemu else { throw HostProgram.Failure(description: "qemu-system-riscv64 is not installed") }
        let board = [
            "-M", "virt", "-cpu", "rv64,h=true", "-smp", "\(harts)", "-m", "1G", "-display", "none", "-monitor", "none",
            "-serial", "stdio",
        ]
        let counting = countsInstructions ? ["-icount", "shift=4"] : []
        return try lines(description) { try HostProgram.run(qemu, board + counting + devices + ["-kernel", $0]) }
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

    private static func check(_ path: String, _ arguments: [String]) throws {
        let result = try HostProgram.run(path, arguments)
        guard result.status == 0 else {
            throw HostProgram.Failure(description: String(decoding: result.output.suffix(4000), as: UTF8.self))
        }
    }

    private static func attempt(_ body: () throws -> String) -> Result<String, HostProgram.Failure> {
        do {
            return .success(try body())
        } catch {
            return .failure(error as? HostProgram.Failure ?? HostProgram.Failure(description: "\(error)"))
        }
    }
}

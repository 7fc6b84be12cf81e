package import Foundation

/// The bare-metal hypervisor, built once, and images of it with guests.
package struct HypervisorBuilder: Sendable {
    package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Where programs, tables and images are made.
    package let directory = TemporaryDirectory()
    /// The hypervisor without guests.
    package let hypervisor: String

    package init() throws {
        guard let toolchain = Toolchain.directory else {
            throw HostProgram.Failure(description: "no swift in PATH, so no compiler beside it")
        }
        hypervisor = directory.path("hypervisor.bin")
        let arguments = [Self.root.appending(path: "hypervisor/build").path, toolchain, hypervisor]
        let result = try HostProgram.run("/bin/sh", arguments + [directory.path("scratch")])
        guard result.status == 0 else {
            throw HostProgram.Failure(description: String(decoding: result.output.suffix(4000), as: UTF8.self))
        }
    }

    /// A program of `Tests/HypervisorTests/Guests` as a flat image in `directory`, by the name NAME.bin; returns its path.
    @discardableResult
    package func guest(_ name: String) throws -> String {
        let guests = Self.root.appending(path: "Tests/HypervisorTests/Guests")
        let script = Toolchain.guests.appending(path: "link.ld").path
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

    /// Packs the text of a GUESTS.json whose files are in `directory`.
    package func pack(_ description: String) throws -> (status: Int32, output: String, image: String) {
        let name = UUID().uuidString
        let table = try directory.file("\(name).json", [UInt8](description.utf8))
        let image = directory.path("\(name).bin")
        let result = try HostProgram.run(
            Self.root.appending(path: "scripts/hypervisor-image").path,
            [table, "-o", image, "--hypervisor", hypervisor])
        return (result.status, String(decoding: result.output, as: UTF8.self), image)
    }
}

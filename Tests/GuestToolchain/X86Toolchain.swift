package import Foundation

/// The x86 assembler and linker: the toolchain's, as for RISC-V.
package enum X86Toolchain {
    private static let guests = Toolchain.guests.appending(path: "x86")

    /// Assembly text (AT&T syntax, any of `.code16`, `.code32`, `.code64`) as a flat image for `address`. It may include
    /// `long-mode.inc` of `Guests/x86`.
    package static func assemble(_ text: String, at address: UInt64) throws -> [UInt8] {
        let linked = try link(text, at: address)
        let flat = linked.appendingPathExtension("bin")
        if let data = try? Data(contentsOf: flat) { return [UInt8](data) }
        let scratch = TemporaryDirectory()
        let fresh = scratch.path("program.bin")
        try Toolchain.check("\(directory())/llvm-objcopy", ["-O", "binary", linked.path, fresh])
        let data = try Data(contentsOf: URL(filePath: fresh))
        rename(fresh, flat.path)
        return [UInt8](data)
    }

    /// The same as an ELF executable, with `_start` for its entry and program headers for notes.
    package static func link(_ text: String, at address: UInt64) throws -> URL {
        let origin = "0x\(String(address, radix: 16))"
        let included = [UInt8](try Data(contentsOf: guests.appending(path: "long-mode.inc")))
        let name = Toolchain.digest(of: [Array(text.utf8), Array("x86-64 \(origin)".utf8), included])
        let linked = Toolchain.cache.appending(path: "\(name).elf")
        if FileManager.default.fileExists(atPath: linked.path) { return linked }
        let scratch = TemporaryDirectory()
        let source = try scratch.file("program.s", [UInt8](text.utf8))
        let fresh = scratch.path("program.elf")
        try Toolchain.check(
            "\(directory())/clang",
            [
                "--target=x86_64-none-elf", "-nostdlib", "-static", "-fuse-ld=lld", "-Wl,-Ttext=\(origin)",
                "-Wl,--build-id=none", "-Wl,--image-base=0", "-Wl,-z,norelro", "-I", guests.path, "-o", fresh,
                source,
            ])
        // Renaming keeps the cache whole when several test processes build the same program.
        rename(fresh, linked.path)
        return linked
    }

    private static func directory() throws -> String {
        guard let directory = Toolchain.directory else {
            throw HostProgram.Failure(description: "no swift in PATH, so no clang beside it")
        }
        return directory
    }
}

extension X86Toolchain {
    /// A bare program of `Guests/x86` as an ELF file with a PVH entry.
    package static func program(_ name: String) throws -> URL {
        let files = try FileManager.default.contentsOfDirectory(at: guests, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
        let digest = Toolchain.digest(of: [Array(name.utf8)] + (try files.map { [UInt8](try Data(contentsOf: $0)) }))
        let linked = Toolchain.cache.appending(path: "\(digest).elf")
        if FileManager.default.fileExists(atPath: linked.path) { return linked }
        let scratch = TemporaryDirectory()
        let fresh = scratch.path("program.elf")
        try Toolchain.check(
            "\(directory())/clang",
            [
                "--target=x86_64-none-elf", "-nostdlib", "-static", "-fuse-ld=lld", "-ffreestanding", "-fno-pic",
                // Nothing saves these registers in interrupts, and emulated KVM does not have them in ring 0.
                "-mno-sse", "-mno-mmx", "-mgeneral-regs-only", "-mno-red-zone", "-fno-builtin", "-O1", "-Wall",
                "-Wextra",
                "-Werror", "-I", guests.path, "-Wl,-T,\(guests.appending(path: "link.ld").path)",
                "-Wl,--build-id=none", "-o", fresh, guests.appending(path: "start.S").path,
                guests.appending(path: "\(name).c").path,
            ])
        rename(fresh, linked.path)
        return linked
    }
}

package import Foundation

/// The RISC-V assembler, compiler and linker: those of the Swift toolchain that built the tests.
package enum Toolchain {
    package static let base: UInt64 = 0x8000_0000

    /// What QEMU 7.2 has as well: compiled programs use it freely.
    private static let commonArchitecture = "rv64imafdc_zicsr_zifencei_zba_zbb_zbs_zihintpause_svinval"
    private static let architecture = commonArchitecture + "_zfhmin_zicond_zicbom_zicboz_zawrs_h"

    /// Where the programs of the guests lie in the source tree.
    package static let guests = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Guests")

    /// What was built, by the digest of what it was built from, for this and for later runs. Whatever was built a week ago goes:
    /// most of it is of sources that have changed, and the rest is soon built again.
    static let cache: URL = {
        let files = FileManager.default
        let directory = files.temporaryDirectory.appending(path: "aerie-guests-\(getuid())")
        try? files.createDirectory(at: directory, withIntermediateDirectories: true)
        let key = URLResourceKey.contentModificationDateKey
        let built = try? files.contentsOfDirectory(at: directory, includingPropertiesForKeys: [key])
        for file in built ?? [] {
            guard let date = try? file.resourceValues(forKeys: [key]).contentModificationDate else { continue }
            if date.timeIntervalSinceNow < -7 * 24 * 3600 { try? files.removeItem(at: file) }
        }
        return directory
    }()

    /// The directory of clang, ld.lld and llvm-objcopy: beside the `swift` in PATH.
    package static let directory: String? = HostProgram.find("swift").map {
        URL(filePath: $0).resolvingSymlinksInPath().deletingLastPathComponent().path
    }

    /// A program of `Guests`, built from a file there together with `sources`, as a flat image for `address`.
    package static func build(_ files: [String], at address: UInt64 = base, flags: [String] = []) throws -> [UInt8] {
        try image(
            of: files.map { guests.appending(path: $0) }, at: address, architecture: commonArchitecture, flags: flags)
    }

    /// Assembly text as a flat image for `address`.
    ///
    /// - Parameter isKept: whether the cache takes it; random programs would only fill it.
    package static func assemble(_ text: String, at address: UInt64, isKept: Bool = true) throws -> [UInt8] {
        let directory = TemporaryDirectory()
        let source = URL(filePath: try directory.file("program.s", [UInt8](text.utf8)))
        return try image(of: [source], at: address, architecture: architecture, flags: [], isKept: isKept)
    }

    private static func image(
        of sources: [URL], at address: UInt64, architecture: String, flags: [String],
        isKept: Bool = true
    ) throws -> [UInt8] {
        guard let directory else { throw HostProgram.Failure(description: "no swift in PATH, so no clang beside it") }
        // Whatever may be included counts as source.
        let headers = try FileManager.default.contentsOfDirectory(at: guests, includingPropertiesForKeys: nil)
            .filter { ["h", "ld", "S"].contains($0.pathExtension) }.sorted { $0.path < $1.path }
        let origin = "0x\(String(address, radix: 16))"
        let content = try (sources + headers).map { [UInt8](try Data(contentsOf: $0)) }
        let name = digest(of: content + [Array((flags + [architecture, origin]).joined(separator: " ").utf8)])
        let image = cache.appending(path: "\(name).bin")
        if isKept, let data = try? Data(contentsOf: image) { return [UInt8](data) }

        let scratch = TemporaryDirectory()
        let linked = scratch.path("program.elf")
        let flat = scratch.path("program.bin")
        try check(
            "\(directory)/clang",
            [
                "--target=riscv64-none-elf", "-march=\(architecture)", "-mabi=lp64d", "-mcmodel=medany", "-fno-pic",
                "-ffreestanding", "-nostdlib", "-fuse-ld=lld", "-O1", "-Wall", "-Wextra", "-Werror", "-I", guests.path,
                "-Wl,-T,\(guests.appending(path: "link.ld").path)", "-Wl,--defsym=program_base=\(origin)",
                "-Wno-unused-command-line-argument",
            ] + flags + ["-o", linked] + sources.map(\.path))
        try check("\(directory)/llvm-objcopy", ["-O", "binary", linked, flat])
        let data = try Data(contentsOf: URL(filePath: flat))
        // Renaming keeps the cache whole when several test processes build the same program.
        if isKept { rename(flat, image.path) }
        return [UInt8](data)
    }

    /// The disassembly of machine code, one line an instruction.
    package static func disassemble(
        _ code: [UInt8], at address: UInt64, options: [String] = ["-M", "numeric"]
    ) throws -> String {
        guard let directory else { throw HostProgram.Failure(description: "no swift in PATH, so no clang beside it") }
        let bytes = code.map { "\($0)" }.joined(separator: ",")
        let scratch = TemporaryDirectory()
        let source = try scratch.file(
            "code.s", Data(".text\ncode: .byte \(bytes)\n.size code, .-code\n.type code,@function\n".utf8))
        let object = scratch.path("code.o")
        try check(
            "\(directory)/clang",
            ["--target=riscv64-none-elf", "-march=\(architecture)", "-c", "-o", object, source])
        let result = try HostProgram.run(
            "\(directory)/llvm-objdump",
            ["-d", "--adjust-vma=0x\(String(address, radix: 16))"] + options + [object])
        return String(decoding: result.output, as: UTF8.self)
    }

    /// What a program of the toolchain prints.
    package static func output(_ name: String, _ arguments: [String]) throws -> String {
        guard let directory else { throw HostProgram.Failure(description: "no swift in PATH, so no clang beside it") }
        let result = try HostProgram.run("\(directory)/\(name)", arguments)
        let text = String(decoding: result.output, as: UTF8.self)
        guard result.status == 0 else { throw HostProgram.Failure(description: "\(name): \(text.prefix(4000))") }
        return text
    }

    /// Runs a program of the toolchain, for example `clang`; what it says about an error is the error.
    package static func run(_ name: String, _ arguments: [String]) throws {
        guard let directory else { throw HostProgram.Failure(description: "no swift in PATH, so no clang beside it") }
        try check("\(directory)/\(name)", arguments)
    }

    static func check(_ path: String, _ arguments: [String]) throws {
        let result = try HostProgram.run(path, arguments)
        guard result.status == 0 else {
            let output = String(decoding: result.output.prefix(4000), as: UTF8.self)
            throw HostProgram.Failure(description: "\(path) \(arguments.joined(separator: " ")):\n\(output)")
        }
    }

    /// FNV-1a over the parts and their lengths: names in a cache, nothing that an adversary chooses.
    static func digest(of parts: [[UInt8]]) -> String {
        var first: UInt64 = 0xcbf2_9ce4_8422_2325
        var second: UInt64 = 0x6c62_272e_07bb_0142
        for part in parts {
            for byte in part + withUnsafeBytes(of: UInt64(part.count), Array.init) {
                first = (first ^ UInt64(byte)) &* 0x100_0000_01b3
                second = (second &+ UInt64(byte) ^ (first >> 32)) &* 0x9e37_79b9_7f4a_7c15
            }
        }
        return String(first, radix: 16) + String(second, radix: 16)
    }
}

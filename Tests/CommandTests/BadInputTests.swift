import GuestToolchain
import Foundation
import Testing

@Suite("Files that are not what they should be")
struct BadInputTests {
    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
    }

    private func expectBadInput(
        _ arguments: [String], saying texts: [String], location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try aerie.run(["run"] + arguments)
        #expect(result.code == 65, "\(result.error)", sourceLocation: location)
        #expect(result.error.hasPrefix("aerie: "), "\(result.error)", sourceLocation: location)
        #expect(result.error.split(separator: "\n").count == 1, "\(result.error)", sourceLocation: location)
        for text in texts { #expect(result.error.contains(text), "\(result.error)", sourceLocation: location) }
    }

    @Test(
        "A missing, an empty and an unreadable kind of file is told by the option that named it",
        arguments: ["--kernel", "--firmware"])
    func noFile(option: String) throws {
        let empty = try aerie.directory.file("empty", Data())
        try expectBadInput([option, "absent"], saying: ["\(option) absent", "No such file"])
        try expectBadInput([option, empty], saying: ["\(option) \(empty)", "empty"])
        try expectBadInput([option, "/dev/null"], saying: ["\(option) /dev/null", "regular file"])
        try expectBadInput([option, "/"], saying: ["\(option) /", "directory"])
    }

    @Test("A missing and an empty RAM disk is told")
    func initrd() throws {
        let kernel = try aerie.directory.file("kernel", flatImage(size: 1 << 16))
        let empty = try aerie.directory.file("empty", Data())
        try expectBadInput(["--kernel", kernel, "--initrd", "absent"], saying: ["--initrd absent", "No such file"])
        try expectBadInput(["--kernel", kernel, "--initrd", empty], saying: ["--initrd", "empty"])
    }

    @Test("A program for another processor is no kernel")
    func otherArchitecture() throws {
        // A 64-bit little-endian ELF executable for x86-64 (e_machine 62).
        var elf = Data([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8))
        elf += [2, 0, 62, 0, 1, 0, 0, 0]
        elf += Data(repeating: 0, count: 4096)
        try expectBadInput(["--kernel", try aerie.directory.file("kernel", elf)], saying: ["kernel"])
    }

    @Test("Text is no kernel")
    func text() throws {
        let path = try aerie.directory.file("kernel", Data(String(repeating: "not a kernel\n", count: 1000).utf8))
        try expectBadInput(["--kernel", path], saying: [path])
    }

    @Test("A kernel that ends too early is told")
    func truncated() throws {
        let path = try aerie.directory.file("kernel", Data([0x7f] + Array("ELF".utf8) + [2, 1, 1]))
        try expectBadInput(["--kernel", path], saying: [path])
        let compressed = try aerie.directory.file("kernel.gz", Data([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b]))
        try expectBadInput(["--kernel", compressed], saying: [compressed])
    }

    @Test("A kernel that does not fit the memory is told")
    func tooLarge() throws {
        // The header asks for 512 MiB from the kernel's start, as its BSS would.
        let path = try aerie.directory.file("kernel", flatImage(size: 512 << 20))
        try expectBadInput(["--kernel", path, "--memory", "64M"], saying: [path])
    }

    /// The header of a RISC-V Linux `Image` (Documentation/arch/riscv/boot-image-header), and an endless loop.
    private func flatImage(size: UInt64) -> Data {
        func bytes(_ value: some FixedWidthInteger) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
        var header = bytes(0x0000_006f as UInt32) + bytes(0 as UInt32)  // code0: j .
        header += bytes(0x20_0000 as UInt64) + bytes(size) + bytes(0 as UInt64)  // text_offset, image_size, flags
        header += bytes(2 as UInt32) + bytes(0 as UInt32) + bytes(0 as UInt64)  // version, res1, res2
        header += Data("RISCV\0\0\0".utf8) + Data("RSC\u{5}".utf8) + bytes(0 as UInt32)  // magic, magic2, res3
        return header + Data(repeating: 0, count: 4096)
    }
}

@Suite("The file of --config")
struct SettingsFileTests {
    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
    }

    private func run(_ json: String, _ arguments: [String] = []) throws -> AerieResult {
        let path = try aerie.directory.file("settings.json", Data(json.utf8))
        return try aerie.run(["run", "--config", path] + arguments)
    }

    @Test(
        "Mistakes are bad input and name the key",
        arguments: [
            ("{\"cpus\": 1, \"cpu\": 2}", "key 'cpu'"), ("{\"cpus\": \"2\"}", "key 'cpus'"),
            ("{\"cpus\": 0}", "key 'cpus'"),
            ("{\"cpus\": 1.5}", "key 'cpus'"), ("{\"cpus\": true}", "key 'cpus'"),
            ("{\"memory\": 512}", "key 'memory'"),
            ("{\"memory\": \"0\"}", "key 'memory'"), ("{\"engine\": \"magic\"}", "key 'engine'"),
            ("{\"disk\": [\"a\", 1]}", "key 'disk'"), ("{\"read-only\": \"yes\"}", "key 'read-only'"),
            ("{\"kernel\": null}", "key 'kernel'"), ("{\"readOnly\": true}", "key 'readOnly'"), ("[]", "object"),
            ("", "not JSON"), ("{", "not JSON"), ("{\"cpus\": 1} x", "not JSON"),
        ])
    func mistakes(json: String, named: String) throws {
        let result = try run(json)
        #expect(result.code == 65, "\(result.error)")
        #expect(result.error.contains(named), "\(result.error)")
        #expect(result.error.contains("settings.json"), "\(result.error)")
        #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
    }

    @Test("A missing file and a directory are bad input")
    func noFile() throws {
        #expect(try aerie.run(["run", "--config", "absent"]).code == 65)
        #expect(try aerie.run(["run", "--config", "/"]).code == 65)
    }

    @Test("Its settings count as if they were typed")
    func settingsCount() throws {
        let result = try run("{\"kernel\": \"absent-kernel\", \"cpus\": 2}")
        #expect(result.code == 65)
        #expect(result.error.contains("absent-kernel"))
    }

    @Test("Options win")
    func optionsWin() throws {
        let result = try run("{\"kernel\": \"absent-kernel\"}", ["--kernel", "other-kernel"])
        #expect(result.error.contains("other-kernel"))
        #expect(!result.error.contains("absent-kernel"))
    }
}

@Suite("Building an image where it cannot be built")
struct ImageBuildFailureTests {
    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
    }

    @Test("A data directory that cannot be written is told, and how to choose another")
    func unwritable() throws {
        let result = try aerie.run(["image", "build", "debian"], environment: ["XDG_DATA_HOME": "/dev/null"])
        #expect(result.code == 69, "\(result.error)")
        #expect(result.error.contains("/dev/null"))
        #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
    }

    @Test("A mirror that does not answer is told, and nothing half-made stays")
    func noNetwork() throws {
        // Nothing listens on the discard port of this host.
        let result = try aerie.run(["image", "build", "debian", "--mirror", "http://127.0.0.1:9/debian"])
        #expect(result.code == 69, "\(result.error)")
        #expect(result.error.contains("aerie: "))
        #expect(try aerie.run(["image", "ls", "--format", "json"]).output == "[\n\n]\n")
        let pruned = try aerie.run(["image", "prune"])
        #expect(pruned.output.hasPrefix("removed 0 images and 0 builds"), "\(pruned.output)")
    }

    @Test("A mirror that is no address, a suite and a package that are no names are usage errors")
    func usage() throws {
        #expect(try aerie.run(["image", "build", "debian", "--mirror", "not an address"]).code == 64)
        #expect(try aerie.run(["image", "build", "debian", "--package", "../x"]).code == 64)
        #expect(try aerie.run(["image", "build", "debian", "--disk-size", "0"]).code == 64)
        #expect(try aerie.run(["image", "build", "debian", "--disk-size", "1M"]).code == 64)
    }
}

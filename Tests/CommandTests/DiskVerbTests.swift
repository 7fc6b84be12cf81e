import Foundation
import GuestToolchain
import Testing

@Suite("aerie disk")
struct DiskVerbTests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    /// Runs a verb that succeeds.
    private func run(_ arguments: String...) throws -> String {
        let result = try aerie.run(["disk"] + arguments)
        #expect(result.code == 0 && result.error == "", "\(result.error)")
        return result.output
    }

    /// Runs a verb that fails with one line.
    private func expect(
        _ code: Int32, _ arguments: [String], _ message: String, location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try aerie.run(["disk"] + arguments)
        #expect(result.code == code, sourceLocation: location)
        #expect(result.error == "aerie: \(message)\n", sourceLocation: location)
        #expect(result.output == "", sourceLocation: location)
    }

    private func json(_ text: String) throws -> [[String: Any]] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
    }

    @Test("An image is made, filled through an overlay, committed, converted and resized")
    func life() throws {
        let base = try aerie.directory.file("base.raw", [UInt8](repeating: 7, count: 1 << 20))
        #expect(try run("create", "top.qcow2", "--backing", "base.raw") == "top.qcow2\n")
        let chain = try json(run("info", "--format", "json", "top.qcow2"))
        #expect(chain.map { $0["format"] as? String } == ["qcow2", "raw"])
        #expect(chain[0]["backingFile"] as? String == base)
        #expect(chain[0]["size"] as? Int == 1 << 20)
        #expect(try run("info", "top.qcow2").contains("backing file  \(base) (raw)\n"))
        #expect(try run("check", "top.qcow2") == "top.qcow2: 0 errors; 0 leaks; 0 of 16 clusters in use\n")
        #expect(try run("convert", "top.qcow2,format=qcow2", "copy.raw").hasSuffix("copy.raw\n"))
        #expect(try aerie.directory.contents(aerie.directory.path("copy.raw")) == [UInt8](repeating: 7, count: 1 << 20))
        #expect(try run("resize", "top.qcow2,format=qcow2", "2M") == "top.qcow2\n")
        let map = try json(run("map", "--format", "json", "top.qcow2,format=qcow2"))
        #expect(map.map { $0["zero"] as? Bool } == [false, true])
        #expect(map.map { $0["depth"] as? Int } == [1, 0])
        #expect(try run("resize", "--shrink", "top.qcow2,format=qcow2", "512K") == "top.qcow2\n")
        #expect(try run("commit", "top.qcow2").hasSuffix("\(base)\n"))
        #expect(try run("create", "plain", "1G") == "plain\n")
        #expect(try json(run("info", "--format", "json", "plain"))[0]["allocatedSize"] as? Int == 0)
    }

    @Test("Mistakes name what is wrong")
    func mistakes() throws {
        _ = try run("create", "a.qcow2", "1M")
        try expect(
            65, ["create", "a.qcow2", "1M"],
            "disk image a.qcow2: the file exists; choose another name, or add --force to replace it")
        #expect(try run("create", "--force", "a.qcow2", "2M") == "a.qcow2\n")
        try expect(
            64, ["create", "b", "0"],
            "a disk of 0: '0' is not a valid size; use a whole number with K, M or G, such as 8G")
        try expect(
            64, ["create", "b", "1000"],
            "a disk of 1000: a disk has whole sectors of 512 bytes; choose a multiple of 512")
        try expect(64, ["create", "b"], "disk create b: no size is given; add one, such as 8G")
        try expect(
            64, ["create", "b,format=vmdk", "1M"],
            "b,format=vmdk: format 'vmdk' is not known; after the file, use format=raw|qcow2")
        try expect(
            64, ["create", "b,readonly", "1M"], "b,readonly: a setting of a guest's disk; use FILE[,format=raw|qcow2]")
        try expect(
            64, ["create", "b.qcow2", "1M", "--cluster-size", "100"],
            "--cluster-size 100: clusters have 512 bytes to 2M, a power of two; choose a size in this range")
        try expect(
            64, ["create", "b.raw", "--backing", "a.qcow2,format=qcow2"],
            "--backing: b.raw is to be a raw image; add ',format=qcow2'")
        try expect(
            65, ["convert", "a.qcow2", "b.raw"],
            "disk image a.qcow2: the file begins as a qcow2 image and no format is given; add ',format=qcow2', or ',format=raw' "
                + "for a disk whose guest may have written this")
        try expect(
            65, ["info", "absent"],
            "disk image absent: open absent: No such file or directory; check the path and its permissions")
        try expect(65, ["commit", "a.qcow2"], "disk image a.qcow2: the image has no backing file; name an overlay")
        #expect(try aerie.directory.names().filter { $0.hasPrefix("b") } == [])
    }

    @Test("A damaged image has exit code 65, and is repaired when asked")
    func damage() throws {
        _ = try run("create", "a.qcow2", "1M", "--cluster-size", "512")
        var bytes = try aerie.directory.contents(aerie.directory.path("a.qcow2"))
        // The count of the second cluster, in the refcount block in the third one.
        bytes[2 * 512 + 3] = 5
        _ = try aerie.directory.file("a.qcow2", bytes)
        let result = try aerie.run(["disk", "check", "a.qcow2"])
        #expect(result.code == 65)
        #expect(result.output == "a.qcow2: 0 errors; 1 leaks; 0 of 2048 clusters in use\n")
        #expect(
            try run("check", "--repair", "leaks", "a.qcow2")
                == "a.qcow2: 0 errors; 1 leaks, 1 repaired; 0 of 2048 clusters in use\n")
        #expect(try run("check", "a.qcow2") == "a.qcow2: 0 errors; 0 leaks; 0 of 2048 clusters in use\n")
    }
}

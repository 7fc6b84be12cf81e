import DiskImages
import Foundation
import GuestToolchain
import Testing

/// `aerie disk` dies at each state-changing system call (`CrashWalk`).
@Suite(
    "Disk verbs killed at a system call", .serialized,
    .enabled("needs strace and the right to trace") { CallTracer.obstacle == nil })
struct DiskCrashTests {
    enum Verb: String, CaseIterable, CustomTestStringConvertible {
        case create, replace = "create --force", overlay = "create --backing", convert, convertOver = "convert --force"
        case grow = "resize", growRaw = "resize of a raw image", shrink = "resize --shrink", commit
        case commitRaw = "commit to a raw image"

        var testDescription: String { rawValue }

        var words: [String] {
            switch self {
            case .create: ["create", "new.qcow2", "8M"]
            case .replace: ["create", "--force", "disk.qcow2", "8M"]
            case .overlay: ["create", "new.qcow2", "--backing", "disk.qcow2,format=qcow2"]
            case .convert: ["convert", "disk.img", "new.qcow2"]
            case .convertOver: ["convert", "--force", "other.img", "disk.qcow2"]
            // So small clusters that the first table moves.
            case .grow: ["resize", "disk.qcow2,format=qcow2", "64M"]
            case .growRaw: ["resize", "disk.img", "8M"]
            case .shrink: ["resize", "--shrink", "disk.qcow2,format=qcow2", "1M"]
            case .commit: ["commit", "top.qcow2"]
            case .commitRaw: ["commit", "top-raw.qcow2"]
            }
        }
    }

    private static let size = 2 << 20
    private static let masters = ["disk.img", "other.img", "disk.qcow2", "top.qcow2", "top-raw.qcow2"]

    private let aerie: AerieProcess
    /// The contents of `disk` and of what is changed.
    private let (old, new): (Data, Data)

    init() throws {
        aerie = try AerieProcess()
        // Data in some places, and nothing between.
        func contents(_ places: [(Int, UInt8)]) -> Data {
            var data = Data(count: Self.size)
            for (place, first) in places {
                for index in 0..<40_000 { data[place + index] = first &+ UInt8(truncatingIfNeeded: index &* 7) }
            }
            return data
        }
        old = contents([(0, 1), (700_000, 2), (1_500_000, 3)])
        new = contents([(0, 1), (300_000, 9), (700_000, 8), (2_000_000, 5)])
    }

    private func run(_ words: String...) throws {
        let result = try aerie.run(["disk"] + words)
        try #require(result.code == 0, "\(words): \(result.error)")
    }

    private func path(_ name: String) -> String { aerie.directory.path(name) }

    /// Makes the images once, and keeps copies of them.
    private func makeMasters() throws {
        _ = try aerie.directory.file("disk.img", old)
        _ = try aerie.directory.file("other.img", new)
        try run("convert", "--cluster-size", "512", "disk.img", "disk.qcow2")
        for (base, top) in [("disk.qcow2,format=qcow2", "top.qcow2"), ("disk.img", "top-raw.qcow2")] {
            try run("create", top, "--backing", base, "--cluster-size", "4K")
            try write(new, over: old, to: path(top))
        }
        let made = try HostProgram.run(
            "/bin/sh", ["-c", "cd \(aerie.directory.path) && mkdir masters && cp -p *.img *.qcow2 masters"])
        try #require(made.status == 0)
    }

    /// Gives a disk other contents, and writes only what differs.
    private func write(_ contents: Data, over present: Data, to path: String) throws {
        let image = try DiskImageChain.open(path: path, format: .qcow2, readOnly: false)
        defer { image.close() }
        var bytes = [UInt8](contents)
        for start in stride(from: 0, to: bytes.count, by: 4096) {
            let range = start..<start + 4096
            guard contents[range] != present[range] else { continue }
            if bytes[range].allSatisfy({ $0 == 0 }) {
                try image.writeZeroes(at: UInt64(start), count: 4096, mayUnmap: true)
            } else {
                try bytes.withUnsafeMutableBytes {
                    try image.write(
                        at: UInt64(start), from: IOBuffers(UnsafeMutableRawBufferPointer(rebasing: $0[range])))
                }
            }
        }
        try image.flush()
    }

    private func restore() throws {
        let command = "cd \(aerie.directory.path) && rm -f new.qcow2* && cp -p masters/* ."
        try #require(try HostProgram.run("/bin/sh", ["-c", command]).status == 0)
    }

    /// What a disk has; nil for no file.
    private func contents(_ name: String) throws -> Data? {
        guard access(path(name), F_OK) == 0 else { return nil }
        let format = name.hasSuffix(".qcow2") ? ",format=qcow2" : ""
        if !format.isEmpty {
            let check = try aerie.run(["disk", "check", name])
            // Leaks cost space, and no data.
            #expect(check.code == 0 || check.output.contains(": 0 errors;"), "\(name): \(check.output)\(check.error)")
        }
        let result = try aerie.run(["disk", "convert", "--force", name + format, "read.img"])
        #expect(result.code == 0, "\(name): \(result.error)")
        return try Data(contentsOf: URL(filePath: path("read.img")))
    }

    private func check(_ verb: Verb, _ death: String) throws {
        let empty = Data(count: 8 << 20)
        switch verb {
        case .create: #expect([nil, empty].contains(try contents("new.qcow2")), "\(death)")
        case .replace: #expect([old, empty].contains(try contents("disk.qcow2")), "\(death)")
        case .overlay, .convert: #expect([nil, old].contains(try contents("new.qcow2")), "\(death)")
        case .convertOver: #expect([old, new].contains(try contents("disk.qcow2")), "\(death)")
        case .grow:
            let grown = old + Data(count: 64 << 20 - Self.size)
            #expect([old, grown].contains(try contents("disk.qcow2")), "\(death)")
        case .growRaw: #expect([old, old + Data(count: 6 << 20)].contains(try contents("disk.img")), "\(death)")
        case .shrink:
            let found = try #require(try contents("disk.qcow2"))
            #expect(
                [1 << 20, Self.size].contains(found.count) && found.prefix(1 << 20) == old.prefix(1 << 20), "\(death)")
        case .commit, .commitRaw:
            let (top, base) = verb == .commit ? ("top.qcow2", "disk.qcow2") : ("top-raw.qcow2", "disk.img")
            #expect(try contents(top) == new, "\(death)")
            // The next one completes it.
            try run("commit", top)
            #expect(try contents(base) == new && contents(top) == new, "\(death)")
        }
        // Nothing else has changed, and what is left says that it is not complete.
        for name in ["disk.img", "other.img"] where verb != .growRaw && verb != .commitRaw {
            #expect(try Data(contentsOf: URL(filePath: path(name))) == (name == "disk.img" ? old : new), "\(death)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: aerie.directory.path)
        let others = names.filter { $0.contains(".qcow2") && !Self.masters.contains($0) && $0 != "new.qcow2" }
        #expect(others.allSatisfy { $0.hasSuffix(".partial") }, "\(death): \(others)")
        for name in others { unlink(path(name)) }
    }

    @Test(
        "A disk is the old one or the new one, and an overlay reads the same, wherever its verb is killed",
        arguments: Verb.allCases)
    func killed(_ verb: Verb) throws {
        try makeMasters()
        let list = path("calls")
        let result = try aerie.run(["disk"] + verb.words, wrapper: CallTracer.listing(to: list))
        try #require(result.code == 0, "\(result.error)")
        let walk = try CrashWalk("disk \(verb.rawValue)", list: list)
        #expect(walk.count > 0)
        try restore()
        try walk.forEach { call, death in
            _ = try aerie.run(["disk"] + verb.words, wrapper: CallTracer.killing(at: call))
            try check(verb, death)
            try restore()
        }
    }
}

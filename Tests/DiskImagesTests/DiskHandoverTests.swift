import DiskImages
import Glibc
import GuestToolchain
import HostSystem
import TestSupport
import Testing

@Suite("Images that are given to another process") struct DiskHandoverTests {
    enum Kind: CaseIterable, Sendable { case raw, direct, qcow2 }

    private let directory = TemporaryDirectory()
    private static let size = 1 << 20

    private func path(_ kind: Kind) throws -> String {
        let path = directory.path("disk")
        try NewDisk(path: path, format: kind == .qcow2 ? .qcow2 : .raw, size: UInt64(Self.size)).make()
        return path
    }

    private func open(_ kind: Kind, _ path: String) throws -> any DiskImage {
        switch kind {
        case .raw: try RawDiskImage(path: path, readOnly: false)
        case .direct: try DirectDiskImage(path: path, readOnly: false)
        case .qcow2: try DiskImageChain.open(path: path, format: .qcow2, readOnly: false)
        }
    }

    private func files(_ kind: Kind, _ path: String) throws -> DiskFiles {
        try DiskFiles(
            path: path, format: kind == .qcow2 ? .qcow2 : .raw, readOnly: false, isDirect: kind == .direct)
    }

    @Test(
        "The file is complete and free, requests fail, and the image goes on when it is back", arguments: Kind.allCases)
    func thereAndBack(_ kind: Kind) throws {
        let path = try path(kind)
        let image = try open(kind, path)
        try image.write(pattern(8192), at: 65536)
        #expect(throws: DiskImageError.inUse(path: path, forWriting: true)) { try open(kind, path) }
        try image.handOver()
        do {
            let other = try open(kind, path)
            #expect(try other.bytes(at: 65536, count: 8192) == pattern(8192))
            other.close()
        }
        #expect(throws: DiskImageError.self) { try image.bytes(at: 65536, count: 512) }
        #expect(throws: DiskImageError.self) { try image.write(pattern(512), at: 65536) }
        #expect(throws: DiskImageError.self) { try image.flush() }
        #expect(throws: DiskImageError.self) { try image.handOver() }

        try image.takeBack(files(kind, path), isUnused: false)
        #expect(throws: DiskImageError.inUse(path: path, forWriting: true)) { try open(kind, path) }
        #expect(try image.bytes(at: 65536, count: 8192) == pattern(8192))
        try image.write(pattern(4096, 5), at: 0)
        try image.flush()
        image.close()
        let other = try open(kind, path)
        #expect(try other.bytes(at: 0, count: 4096) == pattern(4096, 5))
    }

    @Test("A file that was changed meanwhile, and another file, are not taken back", arguments: Kind.allCases)
    func changed(_ kind: Kind) throws {
        let path = try path(kind)
        let image = try open(kind, path)
        try image.handOver()
        let original = directory.path("original")
        #expect(rename(path, original) == 0)
        _ = try self.path(kind)
        let refusal = DiskImageError.unsupported(
            path: path, found: "it was changed while another process had it",
            advice: "the guest cannot go on with it; boot it again")
        #expect(throws: refusal) { try image.takeBack(files(kind, path), isUnused: false) }
        #expect(unlink(path) == 0 && rename(original, path) == 0)
        do {
            let other = try open(kind, path)
            try other.write(pattern(4096, 1), at: 0)
            try other.flush()
            other.close()
        }
        #expect(throws: refusal) { try image.takeBack(files(kind, path), isUnused: false) }
        #expect(throws: DiskImageError.self) { try image.write(pattern(512), at: 0) }
    }

    /// Calls `body` with the path of a block device on a file.
    ///
    /// - Returns: false where this user or host can make none.
    private static func loopDevice(on path: String, _ body: (String) throws -> Void) throws -> Bool {
        guard let made = try? HostProgram.run("/usr/sbin/losetup", ["--find", "--show", path]), made.status == 0 else {
            return false
        }
        let device = String(decoding: made.output, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? ""
        defer { _ = try? HostProgram.run("/usr/sbin/losetup", ["--detach", device]) }
        try body(device)
        return true
    }

    private static let hasLoopDevices: Bool = {
        let directory = TemporaryDirectory()
        guard let path = try? directory.file("disk", [UInt8](repeating: 0, count: size)) else { return false }
        return (try? loopDevice(on: path) { _ in }) == true
    }()

    @Test(
        "A block device is taken back only if nobody has used it, as nothing shows that it was changed",
        .enabled("needs root and loop devices") { hasLoopDevices }, arguments: [Kind.raw, .direct])
    func blockDevice(_ kind: Kind) throws {
        let isMade = try Self.loopDevice(on: try path(.raw)) { device in
            let image = try open(kind, device)
            defer { image.close() }
            try image.write(pattern(8192), at: 65536)
            try image.handOver()
            let refusal = DiskImageError.unsupported(
                path: device, found: "it is a block device, and may have been changed while another process had it",
                advice: "the guest cannot go on with it; boot it again")
            #expect(throws: refusal) { try image.takeBack(files(kind, device), isUnused: false) }
            try image.takeBack(files(kind, device), isUnused: true)
            #expect(try image.bytes(at: 65536, count: 8192) == pattern(8192))
        }
        #expect(isMade)
    }

    @Test("Images that nobody writes to are not handed over")
    func readOnly() throws {
        let image = try RawDiskImage(path: try path(.raw), readOnly: true)
        #expect(throws: DiskImageError.readOnly) { try image.handOver() }
    }

    @Test("The files below an image are found while somebody writes to it")
    func bases() throws {
        let base = try directory.file("base", pattern(65536))
        let (middle, top) = (directory.path("middle"), directory.path("top"))
        try DiskOverlay.prepare(path: middle, base: base, format: .raw, size: nil)
        try DiskOverlay.prepare(path: top, base: middle, format: .qcow2, size: nil)
        let image = try DiskImageChain.open(path: top, format: .qcow2, readOnly: false)
        #expect(try DiskFiles.bases(of: top) == [middle, base])
        image.close()
    }
}

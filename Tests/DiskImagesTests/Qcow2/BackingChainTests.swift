import DiskImages
import GuestToolchain
import HostSystem
import Testing

@Suite struct BackingChainTests {
    private let directory = TemporaryDirectory()

    private func open(_ path: String, _ format: DiskImageFormat? = .qcow2) throws -> any DiskImage {
        try DiskImageChain.open(path: path, format: format, readOnly: true)
    }

    /// A small image whose header is ours, so that it may say what qemu-img refuses to write.
    private func overlay(_ name: String, of backing: String, format: DiskImageFormat, size: UInt64 = 65536) throws
        -> String
    {
        let path = try directory.file(name, [])
        let file = try FileDescriptor(path: path, flags: 2)
        let creation = Qcow2Creation(
            size: size, clusterSize: 4096,
            backing: try Qcow2Creation.Backing(name: backing, format: format, remembering: nil))
        try creation.write(to: file, path: path)
        return path
    }

    @Test func aFileThatBeginsAsQcow2NeedsItsFormat() throws {
        let path = try directory.qcow2(size: 1 << 20)
        let error = #expect(throws: DiskImageError.formatNotGiven(path: path)) { try open(path, nil) }
        #expect(
            error?.description
                == "disk image \(path): the file begins as a qcow2 image and no format is given; add ',format=qcow2', or "
                + "',format=raw' for a disk whose guest may have written this")
        #expect(try open(path, .raw).bytes(at: 0, count: 3) == Array("QFI".utf8))
        #expect(try open(path, .qcow2).bytes(at: 0, count: 3) == [0, 0, 0])
    }

    /// The guest of a raw disk writes a header that names a file of the host as its backing file.
    @Test func aGuestThatWritesAHeaderDoesNotGetAFileOfTheHost() throws {
        let secret = try directory.file("secret", Array(repeating: 0x53, count: 65536))
        let header = try directory.contents(overlay("header", of: secret, format: .raw))
        let path = try directory.file("disk.raw", [UInt8](repeating: 0, count: 1 << 20))
        let disk = try DiskImageChain.open(path: path, format: nil, readOnly: false)
        try disk.write(header, at: 0)
        disk.close()
        #expect(throws: DiskImageError.formatNotGiven(path: path)) { try open(path, nil) }
        let raw = try open(path, .raw)
        #expect(try raw.bytes(at: 0, count: header.count) == header)
        #expect(try raw.bytes(at: UInt64(header.count), count: 65536) == Array(repeating: 0, count: 65536))
    }

    @Test func aBackingFileWithoutAFormatIsRefused() throws {
        let base = try directory.file("base.raw", pattern(1 << 20))
        let path = try directory.qcow2(size: 1 << 20, backing: base)
        var bytes = try directory.contents(path)
        // The extension becomes one that nobody knows.
        bytes[112] = 0x11
        _ = try directory.file("disk.qcow2", bytes)
        let error = #expect(throws: DiskImageError.self) { try open(path) }
        #expect(
            error?.description
                == "disk image \(path): the format of its backing file \(base) is not given; set it with "
                + "'qemu-img rebase -u -F raw' (or qcow2) '-b \(base)'")
    }

    @Test func whatIsNoFileIsRefused() throws {
        for name in ["json:{\"driver\":\"file\"}", "nbd:localhost:10809", "file:base.raw"] {
            let path = try overlay("top", of: name, format: .raw)
            let error = #expect(throws: DiskImageError.self) { try open(path) }
            #expect(
                error?.description
                    == "disk image \(path): its backing file '\(name)' is not a file's name; convert the image with "
                    + "'qemu-img convert'")
        }
    }

    @Test func aMissingBackingFileIsNamed() throws {
        let path = try overlay("top", of: "gone.raw", format: .raw)
        let error = #expect(throws: DiskImageError.self) { try open(path) }
        #expect(
            error?.description
                == "disk image \(path): its backing file \(directory.path("gone.raw")) cannot be opened (No such file or "
                + "directory); put it back, or convert the image where it is")
    }

    @Test func loopsAreRefused() throws {
        let first = try overlay("first", of: "second", format: .qcow2)
        _ = try overlay("second", of: "third", format: .qcow2)
        _ = try overlay("third", of: "first", format: .qcow2)
        let error = #expect(throws: DiskImageError.self) { try open(first) }
        #expect(
            error?.description
                == "disk image \(directory.path("third")): its backing file \(first) is based on it; correct the backing "
                + "file's name")
        let own = try overlay("own", of: "own", format: .qcow2)
        for readOnly in [true, false] {
            #expect(throws: DiskImageError.self) {
                try DiskImageChain.open(path: own, format: .qcow2, readOnly: readOnly)
            }
        }
    }

    @Test func theLengthOfAChainIsBounded() throws {
        for index in 0..<DiskImageChain.longest {
            _ = try overlay("\(index)", of: "\(index + 1)", format: .qcow2)
        }
        _ = try overlay("\(DiskImageChain.longest)", of: "base", format: .raw)
        _ = try directory.file("base", pattern(65536))
        let error = #expect(throws: DiskImageError.self) { try open(directory.path("0")) }
        #expect(
            error?.description
                == "disk image \(directory.path("63")): the chain of backing files has more than 64 images; merge some of them "
                + "with 'aerie disk commit' or 'aerie disk convert'")
        #expect(try open(directory.path("2")).bytes(at: 512, count: 512) == Array(pattern(65536)[512..<1024]))
    }

    @Test func aChangedBackingFileIsRefused() throws {
        let base = try directory.file("base.raw", pattern(1 << 20))
        let path = try directory.file("top.qcow2", [])
        let backing = try Qcow2Creation.Backing(name: base, format: .raw, remembering: base)
        try Qcow2Creation(size: 1 << 20, backing: backing).write(to: FileDescriptor(path: path, flags: 2), path: path)
        #expect(try open(path).bytes(at: 0, count: 1 << 20) == pattern(1 << 20))
        #expect(try QemuImage.contents(of: path, in: directory) == pattern(1 << 20))
        _ = try directory.file("base.raw", pattern(1 << 20, 1))
        let error = #expect(throws: DiskImageError.self) { try open(path) }
        #expect(
            error?.description
                == "disk image \(path): its backing file \(base) has changed since the image was made; restore that file, or "
                + "make a new image")
    }
}

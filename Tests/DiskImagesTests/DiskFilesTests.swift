import DiskImages
import Glibc
import GuestToolchain
import HostSystem
import Testing

@Suite("Files of images that somebody else has opened") struct DiskFilesTests {
    private let directory = TemporaryDirectory()

    /// What a process gets that receives the files.
    private func received(_ files: DiskFiles) throws -> DiskFiles {
        let copies = files.descriptors.map { dup($0) }
        return try #require(DiskFiles(files.descriptions, descriptors: copies))
    }

    private func isLocked(_ path: String) -> Bool { (try? RawDiskImage(path: path, readOnly: false)) == nil }

    @Test("An image of handed over files is read and written, and the lock ends with the last descriptor")
    func raw() throws {
        let path = try directory.file("disk", pattern(8192))
        var sent: DiskFiles? = try DiskFiles(path: path, format: nil, readOnly: false)
        #expect(sent?.descriptions == [":\(path)"])
        #expect(isLocked(path))
        var files: DiskFiles? = try received(#require(sent))
        sent = nil
        var image: (any DiskImage)? = try DiskImageChain.open(path: path, format: .raw, readOnly: false, files: files)
        files = nil
        #expect(try image?.bytes(at: 512, count: 512) == Array(pattern(8192)[512..<1024]))
        try image?.write(pattern(512, 9), at: 0)
        #expect(isLocked(path))
        image = nil
        #expect(!isLocked(path))
        #expect(try Array(directory.contents(path).prefix(512)) == pattern(512, 9))
    }

    @Test("An image comes with all that it is based on, under the names that the images have; no other file is opened")
    func chain() throws {
        let base = try directory.file("base", pattern(8192))
        let (middle, top) = (directory.path("middle.qcow2"), directory.path("top.qcow2"))
        for (path, name, place, format) in [(middle, "base", base, DiskImageFormat.raw), (top, middle, middle, .qcow2)]
        {
            var disk = NewDisk(path: path, format: .qcow2, size: 8192)
            disk.backing = try Qcow2Creation.Backing(name: name, format: format, remembering: place)
            try disk.make()
        }
        let sent = try DiskFiles(path: top, format: .qcow2, readOnly: false)
        #expect(sent.descriptions == [top, middle, base].map { ":\($0)" })
        let files = try received(sent)
        let image = try DiskImageChain.open(path: top, format: .qcow2, readOnly: false, files: files)
        #expect(try image.bytes(at: 0, count: 8192) == pattern(8192))
        try image.write(pattern(512, 9), at: 512)
        #expect(try image.bytes(at: 512, count: 512) == pattern(512, 9))
        #expect(try directory.contents(base) == pattern(8192))
        let copies = sent.descriptors.prefix(1).map { dup($0) }
        let part = try #require(DiskFiles([":\(top)"], descriptors: copies))
        #expect(throws: DiskImageError.self) {
            _ = try DiskImageChain.open(path: top, format: .qcow2, readOnly: true, files: part)
        }
    }

    @Test("A disk past the page cache has its second opening handed over as well")
    func direct() throws {
        let path = try directory.file("disk", pattern(8192))
        guard let sent = try? DiskFiles(path: path, format: .raw, readOnly: true, isDirect: true) else { return }
        #expect(sent.descriptions == [":\(path)", "!\(path)"])
        let image = try DirectDiskImage(path: path, readOnly: true, files: try received(sent))
        #expect(try image.bytes(at: 0, count: 8192) == pattern(8192))
    }

    @Test(
        "A raw disk that begins as qcow2 is refused, and so are a locked file, a missing one, and a wrong number of descriptors"
    )
    func refusals() throws {
        let path = directory.path("disk.qcow2")
        try NewDisk(path: path, format: .qcow2, size: 8192).make()
        #expect(throws: DiskImageError.formatNotGiven(path: path)) {
            _ = try DiskFiles(path: path, format: nil, readOnly: true)
        }
        let image = try RawDiskImage(path: path, readOnly: false)
        #expect(throws: DiskImageError.inUse(path: path, forWriting: false)) {
            _ = try DiskFiles(path: path, format: .qcow2, readOnly: true)
        }
        withExtendedLifetime(image) {}
        #expect(throws: DiskImageError.self) {
            _ = try DiskFiles(path: directory.path("nothing"), format: .raw, readOnly: true)
        }
        for descriptions in [[], ["\(path)"], [":\(path)", ":\(path)"]] {
            let copy = open(path, O_RDONLY)
            #expect(DiskFiles(descriptions, descriptors: [copy]) == nil)
        }
    }
}

import Glibc
import GuestToolchain
import HostSystem
import SavedState
import TestSupport
import Testing

@testable import DiskImages

@Suite("Disks past the page cache") struct DirectDiskImageTests {
    private let directory = TemporaryDirectory()

    @Test("Bytes go where they belong, whatever their alignment on the disk and in memory", arguments: Way.allCases)
    func alignment(_ way: Way) throws {
        var expected = pattern(65536)
        let path = try directory.file("disk", expected)
        let image = try way.of(DirectDiskImage(path: path, readOnly: false))
        #expect(image.size == 65536)
        for (seed, (offset, count)) in [(0, 4096), (4096, 8192), (512, 512), (3584, 1024), (8192, 12800), (65024, 512)]
            .enumerated()
        {
            #expect(
                try image.bytes(at: UInt64(offset), count: count, cut: [1, 0, 510])
                    == Array(expected[offset..<offset + count]))
            try image.write(pattern(count, seed + 40), at: UInt64(offset), cut: [512, 3])
            expected.replaceSubrange(offset..<offset + count, with: pattern(count, seed + 40))
        }
        try image.writeZeroes(at: 20000, count: 9000, mayUnmap: true)
        for index in 20000..<29000 { expected[index] = 0 }
        try image.flush()
        #expect(try image.bytes(at: 0, count: 65536) == expected)
        #expect(try directory.contents(path) == expected)
        #expect(throws: DiskImageError.outOfRange(offset: 65024, count: 1024, size: 65536)) {
            try image.bytes(at: 65024, count: 1024)
        }
    }

    @Test("Writes of neighbouring sectors at once are all kept, beside writes of whole blocks")
    func neighbours() throws {
        let count = 256
        let path = try directory.file("disk", [UInt8](repeating: 0, count: count * 512))
        let image = try DirectDiskImage(path: path, readOnly: false)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count * 512, alignment: 4096)
        defer { memory.deallocate() }
        memory.copyBytes(from: pattern(count * 512, 3))
        // Every fourth block as a whole, the others by sectors in an order that goes over all blocks.
        var places = (0..<count).map { $0 % 8 * 32 + $0 / 8 }.filter { $0 / 8 % 4 != 0 }.map { ($0 * 512, 512) }
        places += stride(from: 0, to: count, by: 32).map { ($0 * 512, 4096) }
        var random = SeededGenerator(seed: 5)
        places.shuffle(using: &random)
        let loop = try EventLoop(name: "test-loop")
        let io = DiskIO(loop: loop)
        try loop.start()
        defer { loop.stop() }
        let results = Monitor<[DiskImageError?]>([])
        let requests = places.map { offset, count in
            DiskRequest.write(
                at: UInt64(offset),
                from: IOBuffers(UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + count])))
        }
        loop.async {
            let group = IOGroup(io)
            for request in requests {
                image.submit(request, in: group) { error in results.update { $0.append(error) } }
            }
        }
        let all = results.wait { $0.count == requests.count ? $0 : nil }
        #expect(all == Array(repeating: nil, count: requests.count))
        #expect(try directory.contents(path) == pattern(count * 512, 3))
    }

    /// How many pages of a file the host has in memory.
    private func residentPages(_ path: String, _ count: Int) throws -> Int {
        let file = try FileDescriptor(path: path, flags: O_RDONLY)
        let mapping = try Mapping(count: count, protection: PROT_READ, flags: MAP_SHARED, descriptor: file.rawValue)
        var pages = [UInt8](repeating: 0, count: count / 4096)
        #expect(mincore(mapping.address, count, &pages) == 0)
        return pages.count { $0 & 1 == 1 }
    }

    @Test("What is written does not stay in the host's memory")
    func pageCache() throws {
        let size = 1 << 20
        func resident(_ name: String, _ open: (String) throws -> any DiskImage) throws -> Int {
            let path = try directory.file(name, [])
            #expect(truncate(path, off_t(size)) == 0)
            try Way.ring.of(open(path)).write(pattern(size), at: 0)
            return try residentPages(path, size)
        }
        #expect(try resident("cached") { try RawDiskImage(path: $0, readOnly: false) } == size / 4096)
        #expect(try resident("direct") { try DirectDiskImage(path: $0, readOnly: false) } == 0)
    }

    @Test("A size that is not whole blocks is refused, with what to do")
    func size() throws {
        let path = try directory.file("disk", pattern(4096 + 512))
        let error = DiskImageError.unsupported(
            path: path, found: "cache=none needs a size in blocks of 4096 bytes, and the disk has 4608",
            advice: "extend it with 'aerie disk resize', or use cache=writeback")
        #expect(throws: error) { try DirectDiskImage(path: path, readOnly: false) }
    }

    @Test("The file is locked, and known again by a saved machine, as that of any raw disk")
    func lockAndState() throws {
        let path = try directory.file("disk", pattern(8192))
        let image = try DirectDiskImage(path: path, readOnly: false)
        #expect(throws: DiskImageError.inUse(path: path, forWriting: true)) {
            try DirectDiskImage(path: path, readOnly: false)
        }
        let saved = try image.save()
        image.close()
        try RawDiskImage(path: path, readOnly: false).verify(saved)
    }

    @Test(
        "A raw disk grows while it is used, unless it is read-only; smaller sizes are refused",
        arguments: [false, true])
    func growing(isDirect: Bool) throws {
        func open(readOnly: Bool) throws -> any DiskImage {
            let path = directory.path("disk")
            return isDirect
                ? try DirectDiskImage(path: path, readOnly: readOnly) : try RawDiskImage(path: path, readOnly: readOnly)
        }
        let path = try directory.file("disk", pattern(8192))
        let image = try open(readOnly: false)
        try image.grow(to: 16384)
        #expect(image.size == 16384)
        #expect(
            try image.bytes(at: 4096, count: 12288) == Array(pattern(8192)[4096...])
                + [UInt8](repeating: 0, count: 8192))
        try image.write(pattern(512), at: 15872)
        #expect(try directory.contents(path).count == 16384)
        for size in [16384, 8192, 20000] as [UInt64] {
            #expect(throws: DiskImageError.notLarger(size: size, present: 16384)) { try image.grow(to: size) }
        }
        image.close()
        let readOnly = try open(readOnly: true)
        #expect(throws: DiskImageError.cannotGrow) { try readOnly.grow(to: 32768) }
    }
}

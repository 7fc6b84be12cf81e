import GuestToolchain
import DiskImages
import Glibc
import HostSystem
import Testing

@Suite struct RawDiskImageTests {
    private let directory = TemporaryDirectory()

    @Test(arguments: Way.allCases) func bytesGoWhereTheyBelong(_ way: Way) throws {
        let path = try directory.file("disk", pattern(8192))
        let image = try way.of(RawDiskImage(path: path, readOnly: false))
        #expect(image.size == 8192)
        #expect(try image.bytes(at: 1000, count: 3000, cut: [1, 0, 999]) == Array(pattern(8192)[1000..<4000]))
        try image.write(pattern(2000, 99), at: 3000, cut: [512, 3])
        try image.flush()
        var expected = pattern(8192)
        expected.replaceSubrange(3000..<5000, with: pattern(2000, 99))
        #expect(try directory.contents(path) == expected)
    }

    @Test(arguments: Way.allCases) func moreBuffersThanTheKernelTakesAtOnceArePassedInTurns(_ way: Way) throws {
        let path = try directory.file("disk", pattern(8192))
        let image = try way.of(RawDiskImage(path: path, readOnly: false))
        let cut = Array(repeating: 2, count: 3000)
        #expect(try image.bytes(at: 0, count: 8192, cut: cut) == pattern(8192))
        try image.write(pattern(8192, 3), at: 0, cut: cut)
        #expect(try directory.contents(path) == pattern(8192, 3))
    }

    @Test(arguments: Way.allCases) func rangesBeyondTheEndAreRefused(_ way: Way) throws {
        let image = try way.of(RawDiskImage(path: try directory.file("disk", pattern(1024)), readOnly: false))
        for (offset, count) in [(UInt64(1024), 1), (1023, 2), (0, 1025), (.max, 1), (.max - 1, 512)] {
            let error = DiskImageError.outOfRange(offset: offset, count: UInt64(count), size: 1024)
            #expect(throws: error) { try image.bytes(at: offset, count: count) }
            #expect(throws: error) { try image.write(pattern(count), at: offset) }
            #expect(throws: error) { try image.discard(at: offset, count: UInt64(count)) }
            #expect(throws: error) { try image.writeZeroes(at: offset, count: UInt64(count), mayUnmap: true) }
        }
    }

    @Test(arguments: Way.allCases) func zeroesAndHolesReadAsZeroes(_ way: Way) throws {
        for mayUnmap in [false, true] {
            let path = try directory.file("disk", pattern(65536))
            let image = try way.of(RawDiskImage(path: path, readOnly: false))
            try image.writeZeroes(at: 512, count: 40000, mayUnmap: mayUnmap)
            var expected = pattern(65536)
            for index in 512..<40512 { expected[index] = 0 }
            #expect(try directory.contents(path) == expected)
            try image.discard(at: 45056, count: 8192)
            #expect(try directory.contents(path).count == 65536)
            #expect(try image.bytes(at: 40512, count: 45056 - 40512) == Array(expected[40512..<45056]))
        }
    }

    @Test(arguments: Way.allCases)
    func aFileThatEndsWithinASectorIsFilledUpWithZeroesAndGrowsWhenThatSectorIsWritten(_ way: Way) throws {
        let path = try directory.file("disk", pattern(1000))
        let image = try way.of(RawDiskImage(path: path, readOnly: false))
        #expect(image.size == 1024)
        let padded = pattern(1000) + Array(repeating: 0, count: 24)
        #expect(try image.bytes(at: 512, count: 512) == Array(padded[512...]))
        #expect(try image.bytes(at: 1010, count: 14) == Array(repeating: 0, count: 14))
        try image.write(pattern(512, 5), at: 0)
        #expect(try directory.contents(path).count == 1000)
        try image.write(pattern(512, 9), at: 512)
        #expect(try directory.contents(path) == pattern(512, 5) + pattern(512, 9))
        #expect(try image.bytes(at: 0, count: 1024) == pattern(512, 5) + pattern(512, 9))
    }

    @Test(arguments: Way.allCases)
    func aDiskIsDiscardedAndZeroedWholeThoughItsFileEndsWithinASector(_ way: Way) throws {
        for mayUnmap in [false, true] {
            let path = try directory.file("disk", pattern(1000))
            let image = try way.of(RawDiskImage(path: path, readOnly: false))
            try image.discard(at: 0, count: 1024)
            try image.writeZeroes(at: 0, count: 1024, mayUnmap: mayUnmap)
            #expect(try image.bytes(at: 0, count: 1024) == Array(repeating: 0, count: 1024))
        }
    }

    @Test func whatIsNoDiskIsRefusedWithTheReason() throws {
        let missing = directory.path + "/missing"
        #expect(throws: DiskImageError.cannotOpen(path: missing, SystemError("open \(missing)", code: ENOENT))) {
            try RawDiskImage(path: missing, readOnly: true)
        }
        let empty = try directory.file("empty", [])
        #expect(throws: DiskImageError.empty(path: empty)) { try RawDiskImage(path: empty, readOnly: false) }
        for path in [directory.path, "/dev/null"] {
            for readOnly in [false, true] {
                #expect(throws: DiskImageError.notADisk(path: path)) {
                    try RawDiskImage(path: path, readOnly: readOnly)
                }
            }
        }
        let pipe = directory.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(throws: DiskImageError.notADisk(path: pipe)) { try RawDiskImage(path: pipe, readOnly: true) }
    }

    @Test func anImageIsWrittenByOneAndReadByMany() throws {
        let path = try directory.file("disk", pattern(512))
        do {
            let writer = try RawDiskImage(path: path, readOnly: false)
            #expect(throws: DiskImageError.inUse(path: path, forWriting: true)) {
                try RawDiskImage(path: path, readOnly: false)
            }
            #expect(throws: DiskImageError.inUse(path: path, forWriting: false)) {
                try RawDiskImage(path: path, readOnly: true)
            }
            #expect(writer.size == 512)
        }
        let first = try RawDiskImage(path: path, readOnly: true)
        let second = try RawDiskImage(path: path, readOnly: true)
        #expect(throws: DiskImageError.inUse(path: path, forWriting: true)) {
            try RawDiskImage(path: path, readOnly: false)
        }
        #expect(first.size == second.size)
    }

    @Test(arguments: Way.allCases) func aReadOnlyImageIsNotChanged(_ way: Way) throws {
        let path = try directory.file("disk", pattern(1024))
        let image = try way.of(RawDiskImage(path: path, readOnly: true))
        #expect(throws: DiskImageError.readOnly) { try image.write(pattern(512), at: 0) }
        #expect(throws: DiskImageError.readOnly) { try image.discard(at: 0, count: 512) }
        #expect(throws: DiskImageError.readOnly) { try image.writeZeroes(at: 0, count: 512, mayUnmap: true) }
        try image.flush()
        #expect(try directory.contents(path) == pattern(1024))
    }

    @Test(arguments: Way.allCases) func aFileThatShrinksUnderTheDiskIsAnErrorNotZeroes(_ way: Way) throws {
        let path = try directory.file("disk", pattern(8192))
        let image = try way.of(RawDiskImage(path: path, readOnly: true))
        #expect(truncate(path, 4096) == 0)
        #expect(throws: DiskImageError.truncated(at: 4096)) { try image.bytes(at: 0, count: 8192) }
    }

    @Test func buffersAreSlicedAnywhere() {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 10, alignment: 1)
        defer { memory.deallocate() }
        var buffers = IOBuffers()
        for (start, count) in [(0, 3), (3, 0), (3, 4), (7, 3)] {
            buffers.append(UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + count]))
        }
        #expect(buffers.count == 10)
        #expect(buffers.vectors.count == 3)
        for start in 0...10 {
            for count in 0...(10 - start) {
                let slice = buffers.slice(from: start, count: count)
                let offsets = slice.vectors.flatMap { vector in
                    (0..<vector.iov_len).map { vector.iov_base - memory.baseAddress! + $0 }
                }
                #expect(offsets == Array(start..<start + count))
            }
        }
    }
}

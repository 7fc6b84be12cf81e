import DiskImages
import GuestToolchain
import Testing

@Suite struct GrownDiskImageTests {
    private let directory = TemporaryDirectory()

    private func grown(_ way: Way) throws -> any DiskImage {
        let path = try directory.file("base", pattern(8192))
        return try way.of(GrownDiskImage(RawDiskImage(path: path, readOnly: true), size: 20_480))
    }

    @Test(arguments: Way.allCases) func behindTheEndOfItsBaseAreZeroes(_ way: Way) throws {
        let image = try grown(way)
        #expect(image.size == 20_480)
        let expected = pattern(8192) + [UInt8](repeating: 0, count: 12_288)
        #expect(try image.bytes(at: 0, count: 20_480, cut: [700, 9000]) == expected)
        #expect(try image.bytes(at: 12_288, count: 8192) == Array(expected[12_288...]))
        #expect(throws: DiskImageError.outOfRange(offset: 20_480, count: 512, size: 20_480)) {
            try image.bytes(at: 20_480, count: 512)
        }
    }

    @Test(arguments: Way.allCases) func itIsReadOnlyAndTakesAnOverlay(_ way: Way) throws {
        let image = try grown(way)
        #expect(throws: DiskImageError.readOnly) { try image.write(pattern(512), at: 0) }
        #expect(throws: DiskImageError.readOnly) { try image.discard(at: 0, count: 512) }
        image.close()
        let path = try directory.file("base", pattern(8192))
        let base = try GrownDiskImage(RawDiskImage(path: path, readOnly: true), size: 20_480)
        let changes = try ScratchDirectory(candidates: [directory.path]).makeFile()
        let overlay = try way.of(OverlayDiskImage(base: base, changes: changes))
        try overlay.write(pattern(1024, 4), at: 8192 - 512)
        #expect(
            try overlay.bytes(at: 4096, count: 8192)
                == Array(pattern(8192)[4096..<7680]) + pattern(1024, 4) + [UInt8](repeating: 0, count: 3584))
    }

    @Test func itIsKnownAgainByItsSizeAndItsBase() throws {
        let path = try directory.file("base", pattern(8192))
        func open(_ size: UInt64) throws -> GrownDiskImage {
            try GrownDiskImage(RawDiskImage(path: path, readOnly: true), size: size)
        }
        let saved = try open(20_480).save()
        try open(20_480).verify(saved)
        #expect(throws: (any Error).self) { try open(20_992).verify(saved) }
    }
}

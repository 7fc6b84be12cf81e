import GuestToolchain
import DiskImages
import Glibc
import SavedState
import Testing

@Suite struct SavedDiskImageTests {
    private let directory = TemporaryDirectory()

    private func overlay(_ path: String) throws -> OverlayDiskImage {
        try directory.overlay(of: path)
    }

    /// Carries the changes of one overlay over to another as a saved machine does.
    private func copyChanges(from source: OverlayDiskImage, to target: OverlayDiskImage) throws -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        var position: UInt64 = 0
        while let run = try source.nextChanges(from: position) {
            let count = run.range.upperBound - run.range.lowerBound
            if run.isHole {
                try target.restoreZeroes(at: run.range.lowerBound, count: count)
            } else {
                var bytes = [UInt8](repeating: 0xEE, count: Int(count))
                try bytes.withUnsafeMutableBytes { buffer in
                    try source.readChanges(at: run.range.lowerBound, into: buffer)
                    try target.restoreChanges(at: run.range.lowerBound, from: buffer)
                }
            }
            ranges.append(run.range)
            position = run.range.upperBound
        }
        return ranges
    }

    @Test func exactlyTheWrittenClustersAreChanges() throws {
        let image = try overlay(try directory.file("base", pattern(20 * 4096 + 700)))
        #expect(image.clusteredSize == 21 * 4096)
        #expect(try image.nextChanges(from: 0) == nil)
        try image.write(pattern(512), at: 3 * 4096 + 512)
        try image.write(pattern(2 * 4096), at: 7 * 4096 - 10)
        try image.writeZeroes(at: 12 * 4096, count: 8192, mayUnmap: true)
        try image.write(pattern(512), at: 20 * 4096 + 512)
        var found: [OverlayDiskImage.ChangedRun] = []
        var position: UInt64 = 0
        while let run = try image.nextChanges(from: position) {
            found.append(run)
            position = run.range.upperBound
        }
        func clusters(_ range: Range<UInt64>, isHole: Bool = false) -> OverlayDiskImage.ChangedRun {
            .init(range: range.lowerBound * 4096..<range.upperBound * 4096, isHole: isHole)
        }
        #expect(found == [clusters(3..<4), clusters(6..<9), clusters(12..<14, isHole: true), clusters(20..<21)])
        #expect(try image.nextChanges(from: image.clusteredSize) == nil)
    }

    @Test(arguments: 0..<4) func anOverlayWithTheChangesOfAnotherReadsLikeIt(_ seed: Int) throws {
        let size = 400 * 512
        let path = try directory.file("base", pattern(size))
        let image = try overlay(path)
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        for operation in 0..<30 {
            let offset = random(400) * 512
            let count = min(size - offset, (random(20) + 1) * 512)
            if random(3) == 0 {
                try image.writeZeroes(at: UInt64(offset), count: UInt64(count), mayUnmap: random(2) == 0)
            } else {
                try image.write(pattern(count, operation), at: UInt64(offset))
            }
        }
        let copy = try overlay(path)
        try copy.verify(image.save())
        let ranges = try copyChanges(from: image, to: copy)
        #expect(!ranges.isEmpty)
        #expect(try copy.bytes(at: 0, count: size) == image.bytes(at: 0, count: size))
        #expect(try copyChanges(from: copy, to: overlay(path)) == ranges)
    }

    @Test func changesThatAreNoWholeClustersOfTheDiskAreRefused() throws {
        let image = try overlay(try directory.file("base", pattern(3 * 4096 + 512)))
        for (offset, count) in [(512, 4096), (0, 512), (4 * 4096, 4096), (3 * 4096, 8192)] as [(UInt64, UInt64)] {
            #expect(throws: DiskImageError.outOfRange(offset: offset, count: count, size: image.size)) {
                try image.restoreZeroes(at: offset, count: count)
            }
        }
        #expect(try image.nextChanges(from: 0) == nil)
    }

    @Test func aFileThatGrewToItsLastSectorIsKnownAgain() throws {
        let path = try directory.file("disk", pattern(1000))
        let image = try RawDiskImage(path: path, readOnly: false)
        try image.write(pattern(512, 9), at: 512)
        let saved = try image.save()
        image.close()
        try RawDiskImage(path: path, readOnly: false).verify(saved)
    }

    @Test func aFileIsKnownAgainByItsSizeItsTimeOfChangeAndItsHead() throws {
        let path = try directory.file("disk", pattern(100_000))
        let saved = try RawDiskImage(path: path, readOnly: true).save()
        try RawDiskImage(path: path, readOnly: true).verify(saved)
        try overlay(path).verify(overlay(path).save())
        #expect(throws: SavedStateError.changed(name: "disk \(path)", difference: "it was read-only")) {
            try RawDiskImage(path: path, readOnly: false).verify(saved)
        }
        #expect(throws: SavedStateError.wrongKind(found: "raw-disk", expected: "overlay-disk")) {
            try overlay(path).verify(saved)
        }

        // The same bytes written again make another time.
        let past = [timespec(tv_sec: 1000, tv_nsec: 5), timespec(tv_sec: 1000, tv_nsec: 5)]
        utimensat(AT_FDCWD, path, past, 0)
        #expect(throws: SavedStateError.changed(name: "disk \(path)", difference: "it has been written to since")) {
            try RawDiskImage(path: path, readOnly: true).verify(saved)
        }
        // Another head shows even under the same time.
        let aged = try RawDiskImage(path: path, readOnly: true).save()
        _ = try directory.file("disk", pattern(100_000, 1))
        utimensat(AT_FDCWD, path, past, 0)
        #expect(throws: SavedStateError.changed(name: "disk \(path)", difference: "it has been written to since")) {
            try RawDiskImage(path: path, readOnly: true).verify(aged)
        }
        _ = try directory.file("disk", pattern(100_512))
        #expect(
            throws: SavedStateError.changed(
                name: "disk \(path)", difference: "it had 100000 bytes and now has 100512")
        ) { try RawDiskImage(path: path, readOnly: true).verify(aged) }
    }
}

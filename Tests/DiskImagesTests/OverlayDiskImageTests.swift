import GuestToolchain
import DiskImages
import Glibc
import HostSystem
import Testing

@Suite struct OverlayDiskImageTests {
    private let directory = TemporaryDirectory()

    private func overlay(_ bytes: [UInt8], _ way: Way = .blocking) throws -> (any DiskImage, String) {
        let path = try directory.file("base", bytes)
        return (try way.of(directory.overlay(of: path)), path)
    }

    @Test(arguments: Way.allCases) func anUntouchedOverlayReadsAsItsBase(_ way: Way) throws {
        let (image, _) = try overlay(pattern(20_000), way)
        #expect(image.size == 20_480)
        #expect(!image.isReadOnly)
        #expect(try image.bytes(at: 0, count: 20_480) == pattern(20_000) + Array(repeating: 0, count: 480))
    }

    @Test(arguments: Way.allCases) func writesStayInTheOverlay(_ way: Way) throws {
        let (image, path) = try overlay(pattern(40_960), way)
        try image.write(pattern(512, 77), at: 4096 + 512)
        var expected = pattern(40_960)
        expected.replaceSubrange(4608..<5120, with: pattern(512, 77))
        #expect(try image.bytes(at: 0, count: 40_960) == expected)
        #expect(try directory.contents(path) == pattern(40_960))
        // The file of the changes has no name.
        #expect(try directory.names() == ["base"])
    }

    @Test func aBaseThatCanBeWrittenIsRefused() throws {
        let base = try RawDiskImage(path: try directory.file("base", pattern(512)), readOnly: false)
        let scratch = ScratchDirectory(candidates: [directory.path])
        #expect(throws: DiskImageError.writableBase) {
            try OverlayDiskImage(base: base, changes: scratch.makeFile())
        }
    }

    @Test func manyOverlaysShareABase() throws {
        let path = try directory.file("base", pattern(8192))
        let images = try (0..<3).map { _ in try directory.overlay(of: path) }
        for (index, image) in images.enumerated() { try image.write(pattern(512, index), at: 512) }
        for (index, image) in images.enumerated() {
            #expect(try image.bytes(at: 512, count: 512) == pattern(512, index))
        }
    }

    @Test(arguments: Way.allCases) func rangesBeyondTheEndAreRefused(_ way: Way) throws {
        let (image, _) = try overlay(pattern(1024), way)
        let error = DiskImageError.outOfRange(offset: 1000, count: 512, size: 1024)
        #expect(throws: error) { try image.write(pattern(512), at: 1000) }
        #expect(throws: error) { try image.bytes(at: 1000, count: 512) }
        #expect(throws: error) { try image.writeZeroes(at: 1000, count: 512, mayUnmap: false) }
    }

    @Test(arguments: 0..<3, Way.allCases)
    func randomOperationsAgreeWithAnArray(_ seed: Int, _ way: Way) throws {
        let size = 300 * 512
        var model = pattern(size)
        let (image, path) = try overlay(model, way)
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        for operation in 0..<400 {
            // Mostly sectors, as guests do, sometimes any bytes.
            let unit = random(4) == 0 ? 1 : 512
            let offset = random(size / unit) * unit
            let count = min(size - offset, (random(random(8) == 0 ? 60 : 9) + 1) * unit)
            let range = offset..<offset + count
            switch random(8) {
            case 0...3:
                let bytes = pattern(count, operation)
                try image.write(bytes, at: UInt64(offset), cut: [random(100), random(5000)])
                model.replaceSubrange(range, with: bytes)
            case 4:
                try image.writeZeroes(at: UInt64(offset), count: UInt64(count), mayUnmap: random(2) == 0)
                model.replaceSubrange(range, with: Array(repeating: 0, count: count))
            case 5:
                // This image discards by zeroing.
                try image.discard(at: UInt64(offset), count: UInt64(count))
                model.replaceSubrange(range, with: Array(repeating: 0, count: count))
            default:
                #expect(try image.bytes(at: UInt64(offset), count: count, cut: [random(3000)]) == Array(model[range]))
            }
        }
        #expect(try image.bytes(at: 0, count: size) == model)
        #expect(try directory.contents(path) == pattern(size))
    }

    @Test(arguments: Way.allCases) func writersOfOneClusterDoNotUndoEachOther(_ way: Way) throws {
        let clusters = 200
        let (image, _) = try overlay(pattern(clusters * 4096), way)
        // Eight threads write the eight sectors of every cluster, each for the first time in that cluster.
        let threads = try (0..<8).map { lane in
            try HostThread(name: "writer") {
                for cluster in 0..<clusters {
                    do {
                        try image.write(pattern(512, lane + cluster), at: UInt64(cluster * 4096 + lane * 512))
                    } catch {
                        Issue.record("write failed: \(error)")
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        for cluster in 0..<clusters {
            let expected = (0..<8).flatMap { pattern(512, $0 + cluster) }
            #expect(try image.bytes(at: UInt64(cluster * 4096), count: 4096) == expected)
        }
    }
}

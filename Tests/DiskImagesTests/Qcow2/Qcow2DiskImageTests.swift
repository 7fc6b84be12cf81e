import DiskImages
import Foundation
import GuestToolchain
import HostSystem
import SavedState
import Testing

@Suite struct Qcow2DiskImageTests {
    private let directory = TemporaryDirectory()

    @Test(arguments: Way.allCases) func rangesBeyondTheEndAreRefused(_ way: Way) throws {
        let image = try way.of(openQcow2(directory.qcow2(size: 1024)))
        let error = DiskImageError.outOfRange(offset: 1000, count: 512, size: 1024)
        #expect(throws: error) { try image.write(pattern(512), at: 1000) }
        #expect(throws: error) { try image.bytes(at: 1000, count: 512) }
        #expect(throws: error) { try image.writeZeroes(at: 1000, count: 512, mayUnmap: false) }
        #expect(throws: error) { try image.discard(at: 1000, count: 512) }
    }

    @Test(arguments: Way.allCases) func writersOfOneClusterDoNotUndoEachOther(_ way: Way) throws {
        let clusters = 100
        let base = try directory.file("base.raw", pattern(clusters * 4096))
        let path = try directory.qcow2(size: clusters * 4096, "cluster_size=4096", backing: base)
        let image = try way.of(openQcow2(path))
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
        image.close()
        #expect(try QemuImage.check(path) == .clean)
    }

    /// Every lane has sectors of its own, and clusters are taken, given up and taken again below the other lanes.
    @Test(arguments: Way.allCases) func requestsAtTheSameTimeKeepTheirContents(_ way: Way) throws {
        let lanes = 6
        let share = 300 * 512
        let path = try directory.qcow2(size: lanes * share, "cluster_size=1024")
        let image = try way.of(openQcow2(path))
        let results = Monitor([Int: [UInt8]]())
        let threads = try (0..<lanes).map { lane in
            try HostThread(name: "lane") {
                var model = [UInt8](repeating: 0, count: share)
                var random = RandomNumbers(seed: lane)
                let view = WindowImage(image, from: UInt64(lane * share), count: UInt64(share))
                do {
                    for operation in 0..<200 {
                        try Qcow2DifferentialTests.step(view, &model, &random, lane * 1000 + operation)
                    }
                } catch {
                    Issue.record("an operation failed: \(error)")
                }
                results.update { [model] in $0[lane] = model }
            }
        }
        for thread in threads { thread.join() }
        let model = results.withLock { results in (0..<lanes).flatMap { results[$0] ?? [] } }
        #expect(try image.bytes(at: 0, count: model.count) == model)
        image.close()
        #expect(try QemuImage.check(path) == .clean)
        #expect(try QemuImage.contents(of: path, in: directory) == model)
    }

    @Test func whatIsDiscardedGivesTheFileItsSpaceBack() throws {
        let path = try directory.qcow2(size: 8 << 20)
        let image = try openQcow2(path)
        try image.write(pattern(4 << 20), at: 0)
        try image.flush()
        let full = try allocatedSize(path)
        #expect(full >= 4 << 20)
        try image.discard(at: 0, count: 4 << 20)
        try image.flush()
        #expect(try allocatedSize(path) <= full - (4 << 20))
        // The same clusters are used again.
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        try image.write(pattern(4 << 20, 1), at: 4 << 20)
        image.close()
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == size)
        #expect(try QemuImage.check(path) == .clean)
    }

    private func allocatedSize(_ path: String) throws -> Int {
        let values = try URL(filePath: path).resourceValues(forKeys: [.totalFileAllocatedSizeKey])
        return try #require(values.totalFileAllocatedSize)
    }

    @Test func anImageIsLockedWhileItIsOpen() throws {
        let path = try directory.qcow2(size: 1 << 20)
        let image = try openQcow2(path)
        #expect(throws: DiskImageError.inUse(path: path, forWriting: false)) { try openQcow2(path, readOnly: true) }
        image.close()
        let reader = try openQcow2(path, readOnly: true)
        #expect(throws: DiskImageError.inUse(path: path, forWriting: true)) { try openQcow2(path) }
        reader.close()
    }

    @Test func aSavedImageIsKnownAgain() throws {
        let base = try directory.file("base.raw", pattern(1 << 20))
        let path = try directory.qcow2(size: 1 << 20, backing: base)
        let image = try openQcow2(path)
        try image.write(pattern(512), at: 512)
        let saved = try image.save()
        image.close()
        let again = try openQcow2(path)
        try again.verify(saved)
        try again.write(pattern(512), at: 200_000)
        again.close()
        #expect(throws: (any Error).self) { try openQcow2(path).verify(saved) }
    }
}

/// A part of a disk as a disk of its own.
private final class WindowImage: DiskImage {
    private let image: any DiskImage
    private let start: UInt64
    let size: UInt64
    var isReadOnly: Bool { image.isReadOnly }

    init(_ image: any DiskImage, from start: UInt64, count: UInt64) {
        self.image = image
        self.start = start
        size = count
    }

    func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try image.read(at: start + offset, into: buffers)
    }

    func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try image.write(at: start + offset, from: buffers)
    }

    func flush() throws(DiskImageError) { try image.flush() }

    func discard(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        try image.discard(at: start + offset, count: count)
    }

    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        try image.writeZeroes(at: start + offset, count: count, mayUnmap: mayUnmap)
    }

    func save() throws(SavedStateError) -> SavedRecord { try image.save() }
    func verify(_ saved: SavedRecord) throws(SavedStateError) { try image.verify(saved) }
    func close() { image.close() }
}

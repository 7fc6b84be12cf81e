import DiskImages
import Foundation
import GuestToolchain
import HostSystem
import Testing

/// What `aerie disk` is made of, beside qemu-img.
@Suite struct DiskToolTests {
    private let directory = TemporaryDirectory()

    private func convert(_ source: String, _ format: DiskImageFormat, to target: String, _ new: DiskImageFormat) throws
    {
        let image = try DiskImageChain.open(path: source, format: format, readOnly: true)
        defer { image.close() }
        try NewDisk(path: target, format: new, size: image.size).make { (disk) throws(DiskImageError) in
            try DiskCopy.copy(image, to: disk) { _, _ in }
        }
    }

    /// Data, zeroes that are written, and holes.
    private func sparse() throws -> (path: String, bytes: [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: 5_000_192)
        bytes.replaceSubrange(100_000..<300_000, with: pattern(200_000))
        bytes.replaceSubrange(4_500_000..<5_000_192, with: pattern(500_192, 3))
        let path = try directory.file("sparse.raw", [])
        let file = try FileDescriptor(path: path, flags: 2)
        try file.truncate(to: UInt64(bytes.count))
        try bytes[90_000..<900_000].withUnsafeBytes { try file.writeAll(at: 90_000, $0) }
        try bytes[4_500_000...].withUnsafeBytes { try file.writeAll(at: 4_500_000, $0) }
        return (path, bytes)
    }

    private func allocated(_ path: String) throws -> UInt64 {
        try FileDescriptor(path: path, flags: 0).allocatedSize()
    }

    @Test func convertedImagesHaveTheSameContentsAndNoZeroes() throws {
        let (path, bytes) = try sparse()
        try convert(path, .raw, to: directory.path("a.qcow2"), .qcow2)
        #expect(try QemuImage.check(directory.path("a.qcow2")) == .clean)
        #expect(try QemuImage.contents(of: directory.path("a.qcow2"), in: directory) == bytes)

        let report = try Qcow2Checker.check(path: directory.path("a.qcow2"), repair: .nothing)
        #expect(report.allocatedClusters == 4 + 9)
        try convert(directory.path("a.qcow2"), .qcow2, to: directory.path("b.raw"), .raw)
        #expect(try directory.contents(directory.path("b.raw")) == bytes)
        #expect(try allocated(directory.path("b.raw")) < 900_000)
        #expect(try directory.names().filter { $0.contains("partial") } == [])
    }

    @Test func aFileThatIsThereIsNotReplaced() throws {
        let path = try directory.file("disk", pattern(512))
        #expect(throws: DiskImageError.exists(path: path)) { try NewDisk(path: path, format: .raw, size: 1024).make() }
        #expect(try directory.contents(path) == pattern(512))
        var new = NewDisk(path: path, format: .raw, size: 1024)
        new.replaces = true
        try new.make()
        #expect(try directory.contents(path) == [UInt8](repeating: 0, count: 1024))
    }

    @Test func workThatFailsLeavesNoFile() throws {
        let path = directory.path("disk")
        #expect(throws: DiskImageError.cancelled) {
            try NewDisk(path: path, format: .qcow2, size: 1024).make { (_) throws(DiskImageError) in throw .cancelled }
        }
        #expect(try directory.names() == [])
    }

    @Test(arguments: [("512", 100_000), ("512", 3_000_320), ("65536", 20_000_256)] as [(String, Int)])
    func resizedImagesAreClean(_ clusterSize: String, _ size: Int) throws {
        let base = try directory.file("base.raw", pattern(2_000_384))
        let path = try directory.qcow2(size: 1_000_448, "cluster_size=\(clusterSize)", backing: base)
        let small = size / 512 * 512
        try DiskResize.resize(path: path, format: .qcow2, to: UInt64(small), shrinks: true)
        #expect(try QemuImage.check(path) == .clean)
        // What the base has behind the old end does not show, nor what was cut off.
        let kept = min(small, 1_000_448)
        let expected = pattern(2_000_384)[..<kept] + [UInt8](repeating: 0, count: small - kept)
        #expect(try QemuImage.contents(of: path, in: directory) == Array(expected))
        try DiskResize.resize(path: path, format: .qcow2, to: 40 << 20, shrinks: false)
        #expect(try QemuImage.check(path) == .clean)
        let large = pattern(2_000_384)[..<kept] + [UInt8](repeating: 0, count: 40 << 20 - kept)
        #expect(try QemuImage.contents(of: path, in: directory) == Array(large))
        let image = try openQcow2(path)
        #expect(image.size == 40 << 20)
        try image.write(pattern(4096), at: 39 << 20)
        image.close()
        #expect(try QemuImage.check(path) == .clean)
    }

    @Test func aDiskLosesItsEndOnlyWhenAsked() throws {
        let path = try directory.file("disk.raw", pattern(8192))
        let error = #expect(throws: DiskImageError.self) {
            try DiskResize.resize(path: path, format: .raw, to: 4096, shrinks: false)
        }
        #expect(
            error?.description
                == "disk image \(path): the disk has 8192 bytes, more than 4096; add --shrink to lose what lies behind")
        try DiskResize.resize(path: path, format: .raw, to: 16384, shrinks: false)
        #expect(try directory.contents(path) == pattern(8192) + [UInt8](repeating: 0, count: 8192))
        try DiskResize.resize(path: path, format: .raw, to: 512, shrinks: true)
        #expect(try directory.contents(path) == pattern(512))
    }

    @Test func aCommittedOverlayIsInItsBackingFile() throws {
        let base = try directory.file("base.raw", pattern(1_000_448))
        let path = directory.path("top.qcow2")
        try DiskOverlay.prepare(path: path, base: base, format: .raw, size: nil)
        let image = try openQcow2(path)
        var model = pattern(1_000_448)
        var random = RandomNumbers(seed: 11)
        for operation in 0..<60 { try Qcow2DifferentialTests.step(image, &model, &random, operation) }
        image.close()
        #expect(try DiskCommit.commit(path: path) { _, _ in } == base)
        #expect(try directory.contents(base) == model)
        // The backing file has changed, which the overlay takes note of.
        #expect(try openQcow2(path, readOnly: true).bytes(at: 0, count: model.count) == model)
        #expect(try QemuImage.check(path) == .clean)
    }

    @Test func anOverlayWhoseCommitWasInterruptedReadsAsBeforeAndIsCommittedByTheNextOne() throws {
        let base = try directory.file("base.raw", pattern(8 << 20))
        let path = directory.path("top.qcow2")
        try DiskOverlay.prepare(path: path, base: base, format: .raw, size: nil)
        let image = try openQcow2(path)
        var model = pattern(8 << 20)
        for offset in [0, 4 << 20, 7 << 20] {
            try image.write(pattern(100_352, 5), at: UInt64(offset))
            model.replaceSubrange(offset..<offset + 100_352, with: pattern(100_352, 5))
        }
        image.close()
        let error = #expect(throws: DiskImageError.self) {
            try DiskCommit.commit(path: path) { (completed, _) throws(DiskImageError) in
                if completed > 5 << 20 { throw .cancelled }
            }
        }
        #expect(error?.description == DiskImageError.cancelled.description)
        #expect(try directory.contents(base) != pattern(8 << 20))
        let interrupted = try openQcow2(path, readOnly: true)
        #expect(try interrupted.bytes(at: 0, count: model.count) == model)
        interrupted.close()
        #expect(try DiskCommit.commit(path: path) { _, _ in } == base)
        #expect(try directory.contents(base) == model)
        #expect(try openQcow2(path, readOnly: true).bytes(at: 0, count: model.count) == model)
        // From now on, another change of the backing file shows again.
        try Data([1]).write(to: URL(filePath: base))
        #expect(throws: DiskImageError.self) { try openQcow2(path, readOnly: true) }
    }

    @Test func anOverlayIsMadeOnceAndBelongsToItsBase() throws {
        let base = try directory.file("base.raw", pattern(1 << 20))
        let other = try directory.file("other.raw", pattern(1 << 20, 1))
        let path = directory.path("top.qcow2")
        try DiskOverlay.prepare(path: path, base: base, format: .raw, size: nil)
        let image = try openQcow2(path)
        try image.write(pattern(512, 9), at: 1024)
        image.close()
        try DiskOverlay.prepare(path: path, base: base, format: .raw, size: 2 << 20)
        let again = try openQcow2(path)
        #expect(again.size == 2 << 20)
        #expect(try again.bytes(at: 1024, count: 512) == pattern(512, 9))
        #expect(try again.bytes(at: 1 << 20, count: 512) == [UInt8](repeating: 0, count: 512))
        again.close()
        let error = #expect(throws: DiskImageError.self) {
            try DiskOverlay.prepare(path: path, base: other, format: .raw, size: nil)
        }
        #expect(
            error?.description
                == "disk image \(path): the image is an overlay of \(base), not of \(other); name another file, or start the "
                + "image that it belongs to")
        let alone = try directory.qcow2("alone.qcow2", size: 1 << 20)
        #expect(
            throws: DiskImageError.backing(
                path: alone, found: "the image is not an overlay", advice: "name another file")
        ) {
            try DiskOverlay.prepare(path: alone, base: base, format: .raw, size: nil)
        }
    }

    @Test func theMapIsThatOfQEMU() throws {
        let (base, _) = try sparse()
        let path = try directory.qcow2(size: 6_000_128, backing: base)
        try QemuImage.io(path, ["write -P 1 131072 65536", "write -z 1048576 131072", "write -P 2 4784128 65536"])
        struct Row: Decodable, Equatable {
            let start: UInt64
            let length: UInt64
            let zero: Bool
        }
        let theirs = try JSONDecoder().decode(
            [Row].self, from: Data(QemuImage.image("map", "-f", "qcow2", "--output", "json", path).utf8))
        let image = try openQcow2(path, readOnly: true)
        let ours = try image.extents().map { extent in
            Row(start: extent.range.lowerBound, length: extent.count, zero: extent.contents == .zero)
        }
        /// Neighbours of one kind are one: the two programs cut differently.
        func joined(_ rows: [Row]) -> [Row] {
            rows.reduce(into: []) { result, row in
                if let last = result.last, last.zero == row.zero {
                    result[result.count - 1] = Row(start: last.start, length: last.length + row.length, zero: row.zero)
                } else {
                    result.append(row)
                }
            }
        }
        #expect(joined(ours) == joined(theirs))
    }

    @Test func informationNamesTheChain() throws {
        let base = try directory.file("base.raw", pattern(1 << 20))
        let path = try directory.qcow2(size: 1 << 20, "compat=0.10", "cluster_size=4096", backing: base)
        let chain = try DiskInformation.chain(path: path, format: nil)
        #expect(chain.map(\.path) == [path, base])
        #expect(chain.map(\.format) == [.qcow2, .raw])
        #expect(chain.map(\.size) == [1 << 20, 1 << 20])
        #expect(chain[0].qcow2?.version == 2 && chain[0].qcow2?.clusterSize == 4096)
        #expect(chain[0].qcow2?.backingFile == base && chain[0].qcow2?.backingFormat == "raw")
        #expect(chain[1].qcow2 == nil)
    }
}

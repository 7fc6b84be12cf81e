import DiskImages
import GuestToolchain
import HostSystem
import Testing

/// Our check of images beside qemu-img's.
@Suite struct Qcow2CheckTests {
    private let directory = TemporaryDirectory()

    private func create(_ name: String, size: UInt64, clusterSize: UInt64) throws -> String {
        let path = try directory.file(name, [])
        try Qcow2Creation(size: size, clusterSize: clusterSize).write(
            to: FileDescriptor(path: path, flags: 2), path: path)
        return path
    }

    @Test(
        arguments: [
            (512, 1 << 20), (512, 100 << 20), (512, 128 << 30), (4096, 1 << 30), (65536, 512), (65536, 10 << 40),
            (2 << 20, 1 << 50),
        ] as [(UInt64, UInt64)])
    func newImagesAreClean(_ clusterSize: UInt64, _ size: UInt64) throws {
        let path = try create("new", size: size, clusterSize: clusterSize)
        #expect(try QemuImage.check(path) == .clean)
        #expect(try Qcow2Checker.check(path: path, repair: .nothing).isClean)
        let image = try openQcow2(path)
        #expect(image.size == size)
        try image.write(pattern(512), at: size - 512)
        image.close()
        #expect(try QemuImage.check(path) == .clean)
        let report = try Qcow2Checker.check(path: path, repair: .nothing)
        #expect(report.isClean && report.allocatedClusters == 1)
        #expect(report.totalClusters == (size + clusterSize - 1) / clusterSize)
    }

    @Test func aDiskThatIsTooLargeForItsClustersIsRefused() throws {
        #expect(throws: DiskImageError.self) { try create("new", size: 128 << 30 + 512, clusterSize: 512) }
    }

    /// An image of 64 clusters of 4 KiB, all written: header, refcount table, refcount block, L1 table, L2 table, data.
    private func full() throws -> String {
        let path = try create("disk", size: 64 * 4096, clusterSize: 4096)
        let image = try openQcow2(path)
        try image.write(pattern(64 * 4096), at: 0)
        image.close()
        return path
    }

    private func change(_ path: String, _ body: (inout [UInt8]) -> Void) throws {
        var bytes = try directory.contents(path)
        body(&bytes)
        _ = try directory.file("disk", bytes)
    }

    @Test func leaksAreFoundAndRepaired() throws {
        let path = try full()
        // Entries 10 to 14 of the L2 table refer to nothing any more.
        try change(path) { for byte in 80..<120 { $0[4 * 4096 + byte] = 0 } }
        let report = try Qcow2Checker.check(path: path, repair: .nothing)
        #expect(report.leaks == 5 && report.errors == 0 && !report.isClean)
        #expect(try QemuImage.check(path) == QemuImage.Check(corruptions: nil, leaks: 5, errors: 0))
        let repaired = try Qcow2Checker.check(path: path, repair: .leaks)
        #expect(repaired.repairedLeaks == 5 && repaired.isClean)
        #expect(try QemuImage.check(path) == .clean)
        #expect(try Qcow2Checker.check(path: path, repair: .nothing).isClean)
    }

    @Test func wrongCountsAndFlagsAreFoundAndRepaired() throws {
        let path = try full()
        try change(path) {
            // The count of cluster 20 becomes 0, and the entry of guest cluster 3 loses its flag.
            $0[2 * 4096 + 41] = 0
            $0[4 * 4096 + 24] = 0
        }
        let report = try Qcow2Checker.check(path: path, repair: .nothing)
        #expect(report.errors == 2 && report.leaks == 0)
        #expect(report.findings.count == 2)
        #expect(try (QemuImage.check(path).corruptions ?? 0) >= 2)
        let repaired = try Qcow2Checker.check(path: path, repair: .counts)
        #expect(repaired.repairedErrors == 2 && repaired.isClean)
        #expect(try QemuImage.check(path) == .clean)
        #expect(try openQcow2(path).bytes(at: 0, count: 64 * 4096) == pattern(64 * 4096))
    }

    @Test func aClusterThatIsUsedTwiceIsSharedAfterTheRepair() throws {
        let path = try full()
        try change(path) { $0.replaceSubrange(4 * 4096 + 8..<4 * 4096 + 16, with: Array($0[4 * 4096..<4 * 4096 + 8])) }
        let report = try Qcow2Checker.check(path: path, repair: .counts)
        #expect(report.isClean && report.errors == 3 && report.leaks == 1)
        #expect(try QemuImage.check(path) == .clean)
        let image = try openQcow2(path)
        try image.write(pattern(512, 3), at: 0)
        // The other one keeps the contents.
        #expect(try image.bytes(at: 4096, count: 4096) == Array(pattern(64 * 4096)[..<4096]))
        image.close()
        // It is the cluster's only one now, and not marked as such.
        let after = try Qcow2Checker.check(path: path, repair: .counts)
        #expect(after.errors == 1 && after.isClean && after.leaks == 0)
        #expect(try QemuImage.check(path) == .clean)
    }

    @Test func anImageThatIsMarkedAsDirtyIsRepairedWhenItIsOpened() throws {
        let path = try full()
        try change(path) {
            $0[79] = 1
            $0[2 * 4096 + 41] = 0
        }
        let image = try openQcow2(path)
        try image.write(pattern(512, 1), at: 0)
        image.close()
        #expect(try QemuImage.check(path) == .clean)
        #expect(try directory.contents(path)[79] == 0)
    }

    @Test func anImageThatIsMarkedAsCorruptIsOnlyRead() throws {
        let path = try full()
        try change(path) { $0[79] = 2 }
        #expect(throws: DiskImageError.damaged(path: path, found: "the image is marked as corrupt")) {
            try openQcow2(path)
        }
        let image = try openQcow2(path, readOnly: true)
        #expect(try image.bytes(at: 0, count: 64 * 4096) == pattern(64 * 4096))
        image.close()
        #expect(try Qcow2Checker.check(path: path, repair: .counts).isMarkedCorrupt)
        #expect(try openQcow2(path).bytes(at: 0, count: 1) == [0])
    }

    @Test func whatCannotBeRepairedStaysAnError() throws {
        let path = try full()
        try change(path) { $0[4 * 4096 + 3] = 0x7F }
        let report = try Qcow2Checker.check(path: path, repair: .counts)
        #expect(!report.isClean && report.errors - report.repairedErrors == 1)
    }

    @Test func bitmapsAreLeftToTheProgramThatKnowsThem() throws {
        let path = try directory.qcow2(size: 1 << 20)
        try QemuImage.image("bitmap", "--add", path, "changes")
        let error = #expect(throws: DiskImageError.self) { try Qcow2Checker.check(path: path, repair: .nothing) }
        #expect(
            error?.description
                == "disk image \(path): the image has bitmaps, which the check does not know; use 'qemu-img check'")
        // They are not right any more after a change, and the image says so.
        let image = try openQcow2(path)
        try image.write(pattern(512), at: 0)
        image.close()
        #expect(try QemuImage.check(path).corruptions == nil)
        #expect(try directory.contents(path)[95] == 0)
    }
}

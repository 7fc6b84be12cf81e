import DiskImages
import GuestToolchain
import HostSystem
import Testing

/// Images that contradict themselves: each is refused in words, or fails the request that meets the contradiction.
@Suite struct Qcow2HostileImageTests {
    private let directory = TemporaryDirectory()

    /// An image of 1 MiB with a cluster of 64 KiB at guest offset 0: header, refcount table, refcount block, L1 table, L2 table, data.
    private func image(_ change: (inout [UInt8]) -> Void) throws -> String {
        let path = try directory.qcow2(size: 1 << 20)
        try QemuImage.io(path, ["write -P 1 0 65536"])
        var bytes = try directory.contents(path)
        change(&bytes)
        return try directory.file("disk.qcow2", bytes)
    }

    private static let cluster = 65536
    private static let l1 = 3 * cluster
    private static let l2 = 4 * cluster
    private static let data = UInt64(5 * cluster)

    private static func put(_ value: UInt64, at offset: Int, _ bytes: inout [UInt8]) {
        for byte in 0..<8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * byte)) }
    }

    private static func put32(_ value: UInt32, at offset: Int, _ bytes: inout [UInt8]) {
        for byte in 0..<4 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * byte)) }
    }

    /// A change of the header, and the message that it leads to.
    struct Case: CustomStringConvertible {
        let description: String
        let change: @Sendable (inout [UInt8]) -> Void

        init(_ found: String, _ change: @escaping @Sendable (inout [UInt8]) -> Void) {
            description = found
            self.change = change
        }
    }

    static let headers = [
        Case("the file is not a qcow2 image; give its format, or another file") { $0[0] = 0 },
        Case("version 4 of qcow2; use version 2 or 3") { put32(4, at: 4, &$0) },
        Case("clusters of 2^8 bytes; use clusters of 512 bytes to 2 MiB") { put32(8, at: 20, &$0) },
        Case("clusters of 2^22 bytes; use clusters of 512 bytes to 2 MiB") { put32(22, at: 20, &$0) },
        Case("clusters of 2^4294967295 bytes; use clusters of 512 bytes to 2 MiB") { put32(.max, at: 20, &$0) },
        Case("the image is encrypted (AES); convert it with 'qemu-img convert'") { put32(1, at: 32, &$0) },
        Case("the image is encrypted (LUKS); convert it with 'qemu-img convert'") { put32(2, at: 32, &$0) },
        Case("an L1 table of 4294967295 entries; check it with 'aerie disk check'") { put32(.max, at: 36, &$0) },
        Case("an L1 table of 0 entries for a disk of 1048576 bytes; check it with 'aerie disk check'") {
            put32(0, at: 36, &$0)
        },
        Case("the L1 table is at offset 196609, not at a cluster's start; check it with 'aerie disk check'") {
            put(196_609, at: 40, &$0)
        },
        Case("the L1 table is beyond the end of the file; check it with 'aerie disk check'") {
            put(1 << 62, at: 40, &$0)
        },
        Case("the L1 table is at offset 0, not at a cluster's start; check it with 'aerie disk check'") {
            put(0, at: 40, &$0)
        },
        Case("the L1 table and the refcount table overlap; check it with 'aerie disk check'") {
            put(UInt64(cluster), at: 40, &$0)
        },
        Case("the refcount table is beyond the end of the file; check it with 'aerie disk check'") {
            put(UInt64.max << 16, at: 48, &$0)
        },
        Case("a refcount table of 0 clusters; check it with 'aerie disk check'") { put32(0, at: 56, &$0) },
        Case("a refcount table of 4294967295 clusters; check it with 'aerie disk check'") { put32(.max, at: 56, &$0) },
        Case("4294967295 snapshots; check it with 'aerie disk check'") { put32(.max, at: 60, &$0) },
        Case("the snapshot table is at offset 0, not at a cluster's start; check it with 'aerie disk check'") {
            put32(1, at: 60, &$0)
        },
        Case("the data are in an external data file; convert the image with 'qemu-img convert'") { $0[79] = 4 },
        Case("the image has extended L2 entries; convert it with 'qemu-img convert'") { $0[79] = 16 },
        Case("the compression and its feature bit contradict each other; check it with 'aerie disk check'") {
            $0[79] = 8
        },
        Case("compression 2; use zlib or zstd") { $0[104] = 2 },
        Case("the image needs the unknown feature bit 5; convert it with the program that made it") { $0[79] = 32 },
        Case("the image needs the unknown feature 'dirty bit 2'; convert it with the program that made it") {
            // The name of bit 0 becomes one of bit 6.
            $0[79] = 64
            $0[121] = 6
            $0.replaceSubrange(131..<133, with: " 2".utf8)
        },
        Case("reference counts of 2^7 bits; check it with 'aerie disk check'") { put32(7, at: 96, &$0) },
        Case("a header of 96 bytes; check it with 'aerie disk check'") { put32(96, at: 100, &$0) },
        Case("a header of 113 bytes; check it with 'aerie disk check'") { put32(113, at: 100, &$0) },
        Case("a header of 65544 bytes; check it with 'aerie disk check'") { put32(65544, at: 100, &$0) },
        Case("a header extension of 4294967295 bytes; check it with 'aerie disk check'") { put32(.max, at: 116, &$0) },
        Case("a disk of 9223372036854775807 bytes; check it with 'aerie disk check'") { put(1 << 63 - 1, at: 24, &$0) },
        Case("a disk of 1048577 bytes, not whole sectors; resize it with 'qemu-img resize'") {
            put(1 << 20 + 1, at: 24, &$0)
        },
        Case("the file is empty; create it with the size of the disk") { put(0, at: 24, &$0) },
        Case("the backing file's name has 1024 bytes; check it with 'aerie disk check'") {
            put(600, at: 8, &$0)
            put32(1024, at: 16, &$0)
        },
        Case("the backing file's name is not in the first cluster; check it with 'aerie disk check'") {
            put(65530, at: 8, &$0)
            put32(10, at: 16, &$0)
        },
        Case("the backing file's name is not text; check it with 'aerie disk check'") {
            put(60000, at: 8, &$0)
            put32(10, at: 16, &$0)
        },
        Case("the file ends within the header; check it with 'aerie disk check'") { $0 = Array($0.prefix(80)) },
        Case("the file ends within the header; check it with 'aerie disk check' ") { $0 = Array($0.prefix(20)) },
    ]

    @Test(arguments: headers) func aHeaderThatCannotBeIsRefused(_ wrong: Case) throws {
        let path = try image(wrong.change)
        for readOnly in [true, false] {
            let error = #expect(throws: DiskImageError.self) { try openQcow2(path, readOnly: readOnly) }
            let expected =
                "disk image \(path): "
                + (wrong.description.hasSuffix(" ") ? String(wrong.description.dropLast()) : wrong.description)
            #expect(error?.description == expected)
        }
    }

    struct WrongEntry: CustomStringConvertible {
        let found: String
        let place: Int
        let value: UInt64

        var description: String { "\(found): \(String(value, radix: 16))" }
    }

    static let entries = [
        WrongEntry(found: "L1 entry 0 is not valid", place: l1, value: 1),
        WrongEntry(found: "L1 entry 0 is not valid", place: l1, value: .max),
        WrongEntry(found: "L1 entry 0 refers to offset 512", place: l1, value: 512),
        WrongEntry(found: "L1 entry 0 refers to offset 17592186044416", place: l1, value: 1 << 44),
        WrongEntry(found: "the L2 entry of guest cluster 0 is not valid", place: l2, value: 2),
        WrongEntry(found: "the L2 entry of guest cluster 0 is not valid", place: l2, value: 512),
        WrongEntry(found: "the L2 entry of guest cluster 0 is not valid", place: l2, value: 3 << 62),
        WrongEntry(found: "guest cluster 0 is beyond the end of the file", place: l2, value: 1 << 40),
        WrongEntry(found: "guest cluster 0 is beyond the end of the file", place: l2, value: 1 << 62 | 1 << 40),
    ]

    @Test(arguments: entries, Way.allCases)
    func anEntryThatCannotBeFailsTheRequest(_ wrong: WrongEntry, _ way: Way) throws {
        let path = try image { Self.put(wrong.value, at: wrong.place, &$0) }
        let error = DiskImageError.damaged(path: path, found: wrong.found)
        let image = try way.of(openQcow2(path, readOnly: true))
        #expect(throws: error) { try image.bytes(at: 0, count: 512) }
        image.close()
        let writable = try way.of(openQcow2(path))
        #expect(throws: error) { try writable.write(pattern(512), at: 512) }
        // The image is marked, for other programs as well.
        #expect(throws: DiskImageError.damaged(path: path, found: "damage was found before")) {
            try writable.write(pattern(512), at: 100_000)
        }
        writable.close()
        #expect(throws: DiskImageError.damaged(path: path, found: "the image is marked as corrupt")) {
            try openQcow2(path)
        }
    }

    @Test(arguments: [0, 1, 2, 3, 4], Way.allCases)
    func aGuestNeverWritesToATable(_ cluster: Int, _ way: Way) throws {
        // The guest's data are said to lie where the header or a table is.
        let place = UInt64(cluster * Self.cluster)
        let path = try image { Self.put(1 << 63 | place, at: Self.l2, &$0) }
        let before = try directory.contents(path)
        let image = try way.of(openQcow2(path))
        if cluster == 0 {
            // Offset 0 means that there is no place yet.
            try image.write(pattern(512), at: 0)
            image.close()
            #expect(try QemuImage.check(path).corruptions == nil)
            return
        }
        #expect(throws: DiskImageError.damaged(path: path, found: "data and a table are both at offset \(place)")) {
            try image.write(pattern(512), at: 0)
        }
        image.close()
        var expected = before
        expected[79] = 2
        #expect(try directory.contents(path) == expected)
    }

    @Test func tablesThatShareAClusterAreNotWritten() throws {
        let path = try image { Self.put(UInt64(Self.l1), at: Self.cluster, &$0) }
        #expect(throws: DiskImageError.damaged(path: path, found: "two structures are at offset \(Self.l1)")) {
            try openQcow2(path)
        }
        #expect(try openQcow2(path, readOnly: true).bytes(at: 0, count: 1) == [1])
    }

    @Test(arguments: Way.allCases) func aTableWithoutACountIsNotUsedForData(_ way: Way) throws {
        // The count of the L2 table's cluster is 0, as if it were free.
        let path = try image {
            $0[2 * Self.cluster + 8] = 0
            $0[2 * Self.cluster + 9] = 0
        }
        let image = try way.of(openQcow2(path))
        let error = DiskImageError.damaged(
            path: path,
            found: "a table lies in a cluster with a reference count of 0, at offset \(Self.l2) or behind")
        #expect(throws: error) { try image.write(pattern(512), at: 200_000) }
        #expect(try image.bytes(at: 0, count: 1) == [1])
    }

    @Test(arguments: Way.allCases) func aCompressedClusterThatIsCutFailsTheRead(_ way: Way) throws {
        let raw = try directory.file("disk.raw", pattern(1 << 20))
        let path = directory.path("disk.qcow2")
        try QemuImage.image("convert", "-f", "raw", "-O", "qcow2", "-c", raw, path)
        var bytes = try directory.contents(path)
        // The first compressed cluster follows the L2 table.
        for index in 5 * Self.cluster..<5 * Self.cluster + 200 { bytes[index] = 0xFF }
        _ = try directory.file("disk.qcow2", bytes)
        let image = try way.of(openQcow2(path, readOnly: true))
        let error = DiskImageError.damaged(
            path: path, found: "the compressed cluster at offset \(5 * Self.cluster) cannot be decompressed")
        #expect(throws: error) { try image.bytes(at: 0, count: 512) }
    }
}

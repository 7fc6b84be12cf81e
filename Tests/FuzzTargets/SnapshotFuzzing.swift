internal import HostSystem
internal import SavedState
internal import SnapshotArchive

/// The entry for exported snapshots.
enum SnapshotFuzzing {
    private static let fileHeaderSize = 16
    private static let blockHeaderSize = 28

    /// Whatever an archive has, its data lie within their parts. The checksums are made right, since a fuzzer would not guess them.
    static func archive(_ bytes: [UInt8]) {
        for archive in [bytes, withRightChecksums(bytes)] {
            guard let file = try? makeMemoryFile(name: "input", size: 0),
                (try? archive.withUnsafeBytes { try file.writeAll(at: 0, $0) }) != nil,
                let reader = try? ArchiveReader(from: file)
            else { continue }
            read(reader)
        }
    }

    private static func read(_ reader: ArchiveReader) {
        var limit: UInt64 = 0
        var position: UInt64 = 0
        while let event = try? reader.next() {
            switch event {
            case .member(let member, let size):
                precondition(size <= member.limit, "a part is larger than its kind may be")
                (limit, position) = (size, 0)
            case .data(let offset, let count):
                precondition(offset >= position && offset + UInt64(count) <= limit, "data are outside of their part")
                position = offset + UInt64(count)
                reader.withData(count) { precondition($0.count == count, "data are missing") }
            case .end: return
            }
        }
    }

    /// The payload's length is at byte 20 of a block, the checksum of what is before it and of the payload at byte 24, little endian.
    private static func withRightChecksums(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        var start = fileHeaderSize
        while start + blockHeaderSize <= result.count {
            let count = (0..<4).reduce(0) { $0 | Int(result[start + 20 + $1]) << (8 * $1) }
            let end = min(start + blockHeaderSize + count, result.count)
            var crc = CRC32C()
            crc.update(result[start..<start + 24])
            crc.update(result[start + blockHeaderSize..<end])
            withUnsafeBytes(of: crc.checksum.littleEndian) { sum in
                for (index, byte) in sum.enumerated() { result[start + 24 + index] = byte }
            }
            start = end
        }
        return result
    }
}

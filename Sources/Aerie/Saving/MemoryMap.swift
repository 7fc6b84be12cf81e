internal import GuestMemory
internal import SavedState

// A memory in more than one file has a map, little endian:
//
//     offset  size  field
//          0     8  magic "AERIEMM\n"
//          8     4  format version, 1
//         12     4  the number of files, 1 to 16
//         16     8  bytes of the memory
//         24     4  the number of pieces, 1 to 8192
//         28     n  pieces of 12 bytes: where the piece ends in the memory (8), and the number of its file (4)
//        then    4  CRC-32C of everything before
//
// Pieces ascend, and the last one ends with the memory. A piece begins where the one before ends. Its bytes are in its file at the same
// offsets. File 0 is the snapshot's own; the others were made for snapshots that it descends from.

/// Which of a snapshot's files has which part of the memory.
struct MemoryMap: Equatable {
    static let mostFiles = 16
    /// Each piece is a mapping, of which a process has 65,530 at most.
    static let mostPieces = 8192
    private static let magic = Array("AERIEMM\n".utf8)
    private static let version: UInt32 = 1
    private static let headSize = 28
    private static let pieceSize = 12
    /// Bytes of the longest map.
    static let longest = headSize + mostPieces * pieceSize + 4

    /// The number of files.
    let files: Int
    let pieces: [MemorySource.Piece]

    /// Bytes of the memory.
    var size: UInt64 { pieces.last?.range.upperBound ?? 0 }

    /// All of a memory in one file.
    static func whole(size: UInt64) -> MemoryMap { MemoryMap(files: 1, pieces: [.init(range: 0..<size, file: 0)]) }

    /// - Parameter pieces: ascending, without gaps, from 0 on.
    init(files: Int, pieces: [MemorySource.Piece]) {
        self.files = files
        self.pieces = pieces
    }

    var encoded: [UInt8] {
        var bytes = Self.magic + LittleEndian.bytes(Self.version) + LittleEndian.bytes(UInt32(files))
        bytes += LittleEndian.bytes(size) + LittleEndian.bytes(UInt32(pieces.count))
        for piece in pieces {
            bytes += LittleEndian.bytes(piece.range.upperBound) + LittleEndian.bytes(UInt32(piece.file))
        }
        return bytes + LittleEndian.bytes(CRC32C.checksum(of: bytes))
    }

    /// - Parameters:
    ///   - bytes: the whole map, of untrusted origin.
    ///   - files: the number of files that are there.
    init(encoded bytes: [UInt8], files: Int) throws(SavedMachineError) {
        guard bytes.count >= Self.headSize + 4, bytes.starts(with: Self.magic) else { throw .state(.notAState) }
        let version: UInt32 = LittleEndian.integer(bytes, at: 8)
        guard version == Self.version else { throw .state(.unknownFormat(version)) }
        let count: UInt32 = LittleEndian.integer(bytes, at: 24)
        let end = bytes.count - 4
        guard CRC32C.checksum(of: bytes[..<end]) == LittleEndian.integer(bytes, at: end),
            (1...Self.mostPieces).contains(Int(count)), end == Self.headSize + Int(count) * Self.pieceSize,
            LittleEndian.integer(bytes, at: 12) == UInt32(files), (1...Self.mostFiles).contains(files)
        else { throw .state(.damaged) }
        var pieces: [MemorySource.Piece] = []
        pieces.reserveCapacity(Int(count))
        var start: UInt64 = 0
        for place in stride(from: Self.headSize, to: end, by: Self.pieceSize) {
            let next: UInt64 = LittleEndian.integer(bytes, at: place)
            let file: UInt32 = LittleEndian.integer(bytes, at: place + 8)
            guard next > start, next % SavedMachineFile.pageSize == 0, file < files else { throw .state(.damaged) }
            pieces.append(.init(range: start..<next, file: Int(file)))
            start = next
        }
        guard start == LittleEndian.integer(bytes, at: 16) as UInt64 else { throw .state(.damaged) }
        self.init(files: files, pieces: pieces)
    }
}

// A machine goes from one host to another as frames over one stream, little endian:
//
//     offset  size  field
//          0     4  magic "AERT"
//          4     4  kind
//          8     4  number of the file that the frame is about; 0 without one
//         12     4  CRC-32C of all other bytes of the frame
//         16     8  offset in the file
//         24     8  bytes of the file that the frame is about; bytes of data without a file, and of compressed data
//         32     n  the data, at most 1 MiB

internal import SavedState

/// The head of a frame of a machine's transfer; docs/snapshots.md describes which frames follow one another.
package struct TransferFrame: Equatable, Sendable {
    package enum Kind: UInt32, Sendable {
        /// The sender's description of the machine, as JSON.
        case offer = 1
        /// The receiver takes the machine, or says why not, as JSON.
        case answer
        /// Data of a file.
        case data
        /// Zeroes of a file, without data.
        case zeroes
        /// All has been sent; the machine stands still.
        case complete
        /// The receiver has all of it.
        case ready
        /// The machine is the receiver's.
        case commit
        /// What became of it there, as JSON.
        case outcome
        /// Data of a file, compressed by Zstandard (RFC 8878). The number of bytes is that of the compressed data.
        case compressed
        /// The pages of the memory that the receiver lacks when the guest starts there (`MissingPages`). Any number of frames, ascending.
        case missing
        /// The receiver's guest waits for a part of the memory; without data.
        case wanted
        /// The receiver needs nothing more of the memory.
        case arrived
        /// The sender asks over a new connection what became of a machine, as JSON.
        case question
        /// The sender has read what became of the machine.
        case heard
    }

    package static let headSize = 32
    package static let longestData = 1 << 20
    private static let magic = Array("AERT".utf8)

    package var kind: Kind
    package var file: UInt32 = 0
    package var offset: UInt64 = 0
    package var count: UInt64 = 0

    package init(_ kind: Kind, file: UInt32 = 0, offset: UInt64 = 0, count: UInt64 = 0) {
        self.kind = kind
        self.file = file
        self.offset = offset
        self.count = count
    }

    /// Bytes of data behind the head.
    package var dataCount: Int { hasData ? Int(count) : 0 }

    private var hasData: Bool { kind != .zeroes && kind != .wanted }

    /// The head of the frame with this data.
    func head(_ data: UnsafeRawBufferPointer) -> [UInt8] {
        let before = Self.magic + LittleEndian.bytes(kind.rawValue) + LittleEndian.bytes(file)
        let after = LittleEndian.bytes(offset) + LittleEndian.bytes(count)
        return before + LittleEndian.bytes(CRC32C.checksum(of: before + after, data)) + after
    }

    /// Reads a head.
    ///
    /// - Returns: nil when it is none, or has more data than permitted.
    init?(head: [UInt8]) {
        guard head.count == Self.headSize, head.starts(with: Self.magic),
            let kind = Kind(rawValue: LittleEndian.integer(head, at: 4))
        else { return nil }
        self.init(
            kind, file: LittleEndian.integer(head, at: 8), offset: LittleEndian.integer(head, at: 16),
            count: LittleEndian.integer(head, at: 24))
        guard count <= UInt64(Int64.max), offset <= UInt64(Int64.max) - count,
            !hasData || count <= UInt64(Self.longestData)
        else { return nil }
    }

    /// Whether head and data belong together.
    static func isWhole(head: [UInt8], _ data: UnsafeRawBufferPointer) -> Bool {
        CRC32C.checksum(of: Array(head[..<12] + head[16...]), data) == LittleEndian.integer(head, at: 12)
    }
}

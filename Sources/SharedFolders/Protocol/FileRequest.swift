package import Glibc

/// Memory that the data of a read or a write goes to or comes from, in pieces.
package struct TransferBuffers: @unchecked Sendable {
    // @unchecked: the vectors are addresses; whoever makes this keeps the memory behind them until the request is answered.

    /// None is empty.
    package private(set) var vectors: [iovec] = []
    /// All together, in bytes.
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package mutating func append(_ buffer: UnsafeMutableRawBufferPointer) {
        guard !buffer.isEmpty else { return }
        vectors.append(iovec(iov_base: buffer.baseAddress, iov_len: buffer.count))
        count += buffer.count
    }

    /// At most `limit` pieces from byte `start` on, and not more than `length` bytes.
    func slice(from start: Int, count length: Int, limit: Int) -> [iovec] {
        var result: [iovec] = []
        var skip = start
        var rest = length
        for vector in vectors where rest > 0 && result.count < limit {
            if skip >= vector.iov_len {
                skip -= vector.iov_len
                continue
            }
            let part = min(vector.iov_len - skip, rest)
            result.append(iovec(iov_base: vector.iov_base + skip, iov_len: part))
            rest -= part
            skip = 0
        }
        return result
    }
}

/// A request of the guest's kernel.
///
///     offset  size  header (struct fuse_in_header)
///          0     4  length of the request
///          4     4  operation
///          8     8  identifier of the request
///         16     8  node
///         24     4  user     28  4  group     32  4  process
///         36     4  extensions (none negotiated)
package struct FileRequest: Sendable {
    package static let headerSize = 40
    /// The longest names, targets and values, with arguments. Data of writes are not copied and have `maximumTransfer`.
    package static let longestBody = 128 << 10
    /// The most bytes of data in a read or a write.
    package static let maximumTransfer = 1 << 20

    package let identifier: UInt64
    let operation: UInt32
    let node: UInt64
    let user: UInt32
    let group: UInt32
    /// Arguments and names, without the data of a write.
    let body: [UInt8]
    /// Data to write.
    package let input: TransferBuffers
    /// Room for the data of a read, behind the answer's header.
    package let output: TransferBuffers
    /// Room for an answer's payload in bytes.
    package let room: Int

    /// - Parameters:
    ///   - bytes: at least the header, and as much of the rest as `copiedSize` says.
    ///   - length: of the whole request.
    ///   - input: what follows behind the copied bytes.
    /// - Returns: nil for a header that does not fit the request.
    package init?(
        _ bytes: [UInt8], length: Int, input: TransferBuffers = TransferBuffers(), output: TransferBuffers, room: Int
    ) {
        guard bytes.count >= Self.headerSize else { return nil }
        var header = ArgumentReader(bytes[..<Self.headerSize])
        // A driver may post more than the request has, never less.
        guard let stated: UInt32 = try? header.integer(), stated >= Self.headerSize, Int(stated) <= length,
            let operation: UInt32 = try? header.integer(), let identifier: UInt64 = try? header.integer(),
            let node: UInt64 = try? header.integer(), let user: UInt32 = try? header.integer(),
            let group: UInt32 = try? header.integer()
        else { return nil }
        self.identifier = identifier
        self.operation = operation
        self.node = node
        self.user = user
        self.group = group
        body = Array(bytes[Self.headerSize..<min(bytes.count, Int(stated))])
        self.input = input
        self.output = output
        self.room = room
    }

    /// The same request with its data in `memory`, which has as many bytes.
    package func using(_ memory: UnsafeMutableRawBufferPointer) -> FileRequest {
        FileRequest(self, memory)
    }

    private init(_ other: FileRequest, _ memory: UnsafeMutableRawBufferPointer) {
        var (input, output) = (TransferBuffers(), TransferBuffers())
        input.append(UnsafeMutableRawBufferPointer(rebasing: memory[..<other.input.count]))
        output.append(UnsafeMutableRawBufferPointer(rebasing: memory[..<other.output.count]))
        identifier = other.identifier
        operation = other.operation
        node = other.node
        user = other.user
        group = other.group
        body = other.body
        room = other.room
        self.input = input
        self.output = output
    }

    /// How many bytes of a request of `length` bytes have to be copied, given its header.
    package static func copiedSize(header: [UInt8], length: Int) -> Int {
        let isWrite = header.count >= headerSize && header[4..<8].elementsEqual([16, 0, 0, 0])
        return min(length, headerSize + (isWrite ? 40 : longestBody))
    }
}

/// The answer to a request.
package enum FileReply: Sendable, Equatable {
    /// The guest expects none.
    case none
    case failure(Int32)
    /// What follows the answer's header.
    case payload([UInt8])
    /// So many bytes were put into the request's `output`.
    case filled(Int)

    /// The error of an answer for which the driver has left no room (EIO).
    package static let noRoom: Int32 = 5

    /// struct fuse_out_header: length, negated error, identifier of the request.
    package static let headerSize = 16

    package static func header(length: Int, error: Int32, identifier: UInt64) -> [UInt8] {
        var bytes = ReplyBytes()
        bytes.add(UInt32(length))
        bytes.add(UInt32(bitPattern: -error))
        bytes.add(identifier)
        return bytes.bytes
    }
}

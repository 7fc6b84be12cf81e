internal import Glibc
internal import HostSystem
internal import SavedState

/// Why a transfer cannot go on.
package enum TransferError: Error, Equatable, CustomStringConvertible {
    /// The other side ended the connection.
    case ended
    /// What came is no frame, or not the one that is due.
    case damaged(String)
    case system(String)

    package var description: String {
        switch self {
        case .ended: "the other side ended the connection"
        case .damaged(let what): what
        case .system(let error): error
        }
    }
}

/// The frames of a transfer over two descriptors, which may be the same. One thread reads and one thread writes at a time.
package final class TransferStream {
    private let input: Int32
    private let output: Int32
    private let compressor: BlockCompressor?
    private var pace: TransferPace?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: TransferFrame.longestData, alignment: 4096)
    /// For the data of compressed frames; made when the first one comes.
    private var decompressed: UnsafeMutableRawBufferPointer?

    /// Bytes that were sent.
    package private(set) var sentCount: UInt64 = 0

    /// - Parameters:
    ///   - input, output: blocking descriptors, which stay the caller's and outlive this object.
    ///   - options: for what is sent.
    package init(input: Int32, output: Int32, _ options: TransferOptions = TransferOptions()) {
        self.input = input
        self.output = output
        compressor = options.isCompressed ? BlockCompressor(longest: TransferFrame.longestData) : nil
        pace = options.bandwidth.map { TransferPace(bandwidth: $0) }
    }

    deinit {
        buffer.deallocate()
        decompressed?.deallocate()
    }

    /// Whether frames wait for the bandwidth's limit when they were sent; otherwise the caller waits until `due`.
    var waits = true

    /// When everything that was sent is due, by the monotonic clock; 0 without a limit.
    var due: UInt64 { pace?.due ?? 0 }

    /// Waits until there is something to receive, or the connection has ended.
    ///
    /// - Parameter milliseconds: the longest wait.
    /// - Returns: false when there was nothing in time.
    package func hasInput(within milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
        var result = poll(&entry, 1, milliseconds)
        while result < 0, errno == EINTR { result = poll(&entry, 1, milliseconds) }
        return result > 0
    }

    package func send(
        _ frame: TransferFrame, _ data: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws(TransferError) {
        precondition(data.count == frame.dataCount, "a frame has the data that its head says")
        let head = frame.head(data)
        do throws(SystemError) {
            try head.withUnsafeBufferPointer { (bytes) throws(SystemError) in
                try write(UnsafeRawBufferPointer(bytes), data)
            }
        } catch {
            if error.code == EAGAIN { throw .damaged("the other side takes nothing any more") }
            throw error.code == EPIPE || error.code == ECONNRESET ? .ended : .system(error.description)
        }
        sentCount += UInt64(head.count + data.count)
        if waits {
            pace?.wait(afterSending: head.count + data.count)
        } else {
            _ = pace?.note(count: head.count + data.count, now: HostClock.monotonic())
        }
    }

    package func send(_ kind: TransferFrame.Kind, text: [UInt8] = []) throws(TransferError) {
        guard text.count <= TransferFrame.longestData else { throw .damaged("the description is too long") }
        try text.withUnsafeBufferPointer { (bytes) throws(TransferError) in
            try send(TransferFrame(kind, count: UInt64(text.count)), UnsafeRawBufferPointer(bytes))
        }
    }

    /// Sends a part of a file.
    ///
    /// - Parameter bytes: nil for zeroes.
    package func send(
        _ bytes: UnsafeRawBufferPointer?, count: Int, of file: UInt32, at offset: UInt64
    ) throws(TransferError) {
        guard let bytes else {
            return try send(TransferFrame(.zeroes, file: file, offset: offset, count: UInt64(count)))
        }
        if let compressed = compressor?.compress(bytes, most: bytes.count / 8 * 7) {
            return try send(
                TransferFrame(.compressed, file: file, offset: offset, count: UInt64(compressed.count)), compressed)
        }
        try send(TransferFrame(.data, file: file, offset: offset, count: UInt64(count)), bytes)
    }

    private func write(_ head: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer) throws(SystemError) {
        var done = 0
        while done < head.count + data.count {
            var parts = [iovec(), iovec()]
            parts[0].iov_base = UnsafeMutableRawPointer(mutating: head.baseAddress! + min(done, head.count))
            parts[0].iov_len = head.count - min(done, head.count)
            let rest = data.count - max(0, done - head.count)
            parts[1].iov_base = data.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + (data.count - rest)) }
            parts[1].iov_len = rest
            done += try checked("write") { writev(output, parts, 2) }
        }
    }

    /// The next frame; compressed data comes as data. It is valid until the next call.
    package func receive() throws(TransferError) -> (frame: TransferFrame, data: UnsafeRawBufferPointer) {
        var head = [UInt8](repeating: 0, count: TransferFrame.headSize)
        try head.withUnsafeMutableBufferPointer { (bytes) throws(TransferError) in
            try read(UnsafeMutableRawBufferPointer(bytes))
        }
        guard let frame = TransferFrame(head: head) else {
            throw .damaged("what came is not a frame of a transfer of this version")
        }
        let data = UnsafeMutableRawBufferPointer(rebasing: buffer[..<frame.dataCount])
        try read(data)
        guard TransferFrame.isWhole(head: head, UnsafeRawBufferPointer(data)) else {
            throw .damaged("a frame came with other contents than those sent")
        }
        guard frame.kind == .compressed else { return (frame, UnsafeRawBufferPointer(data)) }
        guard let whole = decompress(UnsafeRawBufferPointer(data)),
            frame.offset <= UInt64(Int64.max) - UInt64(whole.count)
        else { throw .damaged("the compressed data of a frame cannot be read") }
        return (TransferFrame(.data, file: frame.file, offset: frame.offset, count: UInt64(whole.count)), whole)
    }

    private func decompress(_ data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let target = decompressed ?? .allocate(byteCount: TransferFrame.longestData, alignment: 4096)
        decompressed = target
        return decompressBlock(data, into: target).map { UnsafeRawBufferPointer(rebasing: target[..<$0]) }
    }

    /// The text of the next frame, which has to be of a kind.
    package func receive(_ kind: TransferFrame.Kind) throws(TransferError) -> [UInt8] {
        let (frame, data) = try receive()
        guard frame.kind == kind else { throw .damaged("another frame came than the one that was due") }
        return Array(data)
    }

    private func read(_ bytes: UnsafeMutableRawBufferPointer) throws(TransferError) {
        var done = 0
        while done < bytes.count {
            let count: Int
            do throws(SystemError) {
                count = try checked("read") { Glibc.read(input, bytes.baseAddress! + done, bytes.count - done) }
            } catch { throw error.code == ECONNRESET ? .ended : .system(error.description) }
            guard count > 0 else { throw .ended }
            done += count
        }
    }
}

/// The memory of a machine as frames of its transfer.
final class MemoryStream: MemorySink {
    private let stream: TransferStream

    init(_ descriptor: Int32, _ options: TransferOptions) {
        stream = TransferStream(input: -1, output: descriptor, options)
    }

    /// Bytes that were sent.
    var sentCount: UInt64 { stream.sentCount }

    func store(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, isZero: Bool) throws(SystemError) {
        do throws(TransferError) {
            try stream.send(isZero ? nil : bytes, count: bytes.count, of: TransferredFile.memory, at: offset)
        } catch { throw SystemError("the stream", code: EPIPE) }
    }

    /// Sends which parts of the memory the receiver lacks.
    func send(missing ranges: [Range<UInt64>]) throws(TransferError) {
        for start in stride(from: 0, to: ranges.count, by: MissingPages.mostRanges) {
            let part = ranges[start..<min(start + MissingPages.mostRanges, ranges.count)]
            try stream.send(.missing, text: MissingPages.encoded(part))
        }
    }
}

/// Numbers of the files of a transfer.
package enum TransferredFile {
    package static let memory: UInt32 = 1
    package static let state: UInt32 = 2
    /// The first one of the machine's disks.
    package static let disks: UInt32 = 3
}

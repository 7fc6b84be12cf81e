internal import GuestMemory
internal import SharedFolders
internal import Virtio

/// A request of a shared folder, from its queue to its answer:
///
///     readable:  header, arguments, names, data to write
///     writable:  the answer's header, its payload or room for data
struct FileJob: Sendable {
    private static let read: UInt8 = 15
    private static let writeArguments = 40

    let taken: TakenRequest
    let request: FileRequest
    private let memory: GuestMemory
    /// Where the data of the request are, if not in the guest's memory.
    private var own: OwnMemory?
    private let isRead: Bool

    /// Memory that a request keeps for as long as the host may use it.
    private final class OwnMemory: @unchecked Sendable {
        // @unchecked: the host's thread uses it until it answers, the loop's thread afterwards.
        let bytes: UnsafeMutableRawBufferPointer

        init(count: Int) {
            bytes = .allocate(byteCount: max(count, 1), alignment: 16)
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
        }

        deinit { bytes.deallocate() }
    }

    /// - Throws: for a request whose header cannot be read.
    init(_ taken: TakenRequest, _ memory: GuestMemory) throws(VirtQueueError) {
        let chain = taken.chain
        let length = chain.readable.count
        let header = chain.readable.bytes(count: FileRequest.headerSize, in: memory)
        let copied = FileRequest.copiedSize(header: header, length: length)
        let bytes = chain.readable.bytes(count: copied, in: memory)
        isRead = header.count > 4 && header[4] == Self.read && header[5] == 0
        var input = TransferBuffers()
        if copied < length, copied == FileRequest.headerSize + Self.writeArguments {
            let count = min(length - copied, FileRequest.maximumTransfer)
            chain.readable.forEach(from: copied, count: count, in: memory) { input.append($0) }
        }
        var output = TransferBuffers()
        let room = max(chain.writable.count - FileReply.headerSize, 0)
        if isRead {
            let count = min(room, FileRequest.maximumTransfer)
            chain.writable.forEach(from: FileReply.headerSize, count: count, in: memory) { output.append($0) }
        }
        guard let request = FileRequest(bytes, length: length, input: input, output: output, room: room) else {
            throw .badRequest("a request of a shared folder has \(length) bytes, and its header does not fit them")
        }
        self.taken = taken
        self.request = request
        self.memory = memory
    }

    /// Whether the host reads or writes the guest's memory while it serves the request.
    var usesGuestMemory: Bool { own == nil && (!request.input.isEmpty || !request.output.isEmpty) }

    /// The same request with copies of its data, so that the guest's memory is free of it.
    func withOwnMemory() -> FileJob {
        guard usesGuestMemory else { return self }
        let own = OwnMemory(count: max(request.input.count, request.output.count))
        if !request.input.isEmpty {
            taken.chain.readable.copy(
                from: FileRequest.headerSize + Self.writeArguments, into: own.bytes, in: memory)
        }
        var result = self
        result.own = own
        return FileJob(result, request.using(own.bytes))
    }

    private init(_ other: FileJob, _ request: FileRequest) {
        taken = other.taken
        memory = other.memory
        own = other.own
        isRead = other.isRead
        self.request = request
    }

    /// Marks the room for data as modified.
    func markTransfer() {
        guard isRead, own == nil else { return }
        taken.chain.writable.markModified(from: FileReply.headerSize, count: request.output.count, in: memory)
    }

    /// Writes the answer.
    ///
    /// - Returns: how many bytes of the writable buffers were written.
    func write(_ reply: FileReply) -> Int {
        let writable = taken.chain.writable
        func put(_ error: Int32, _ payload: [UInt8], filled: Int = 0) -> Int {
            let length = FileReply.headerSize + payload.count + filled
            let header = FileReply.header(length: length, error: error, identifier: request.identifier)
            writable.write(header + payload, in: memory)
            return length
        }
        guard reply != .none, writable.count >= FileReply.headerSize else { return 0 }
        switch reply {
        case .none: return 0
        case .failure(let code): return put(code, [])
        case .payload(let bytes) where bytes.count > request.room: return put(FileReply.noRoom, [])
        case .payload(let bytes): return put(0, bytes)
        case .filled(let count):
            if let own {
                writable.write(
                    UnsafeRawBufferPointer(rebasing: own.bytes[..<count]), from: FileReply.headerSize, in: memory)
            } else {
                writable.markModified(from: FileReply.headerSize, count: count, in: memory)
            }
            return put(0, [], filled: count)
        }
    }
}

internal import DiskImages

/// Requests to an image, one after the other, in pieces that bound how long a request runs that cannot be cancelled, and into how
/// many host operations an image may cut it.
struct BlockSteps: Sendable {
    /// The most bytes of data in a piece.
    private static let dataStep: UInt64 = 1 << 20
    /// The same where the host usually needs to move no data.
    private static let spaceStep: UInt64 = 64 << 20

    private let requests: [DiskRequest]
    private var index = 0
    // Bytes of the present request that earlier pieces had.
    private var done: UInt64 = 0

    init(_ requests: [DiskRequest]) { self.requests = requests }

    /// The next piece; nil after the last.
    mutating func next() -> DiskRequest? {
        guard index < requests.count else { return nil }
        let request = requests[index]
        let isData = request.operation == .read || request.operation == .write
        let count = min(request.count - done, isData ? Self.dataStep : Self.spaceStep)
        let offset = request.offset + done
        let buffers = isData ? request.buffers.slice(from: Int(done), count: Int(count)) : request.buffers
        done += count
        if done == request.count { (index, done) = (index + 1, 0) }
        switch request.operation {
        case .read: return .read(at: offset, into: buffers)
        case .write: return .write(at: offset, from: buffers)
        case .flush: return .flush
        case .discard: return .discard(at: offset, count: count)
        case .writeZeroes(let mayUnmap): return .writeZeroes(at: offset, count: count, mayUnmap: mayUnmap)
        }
    }
}

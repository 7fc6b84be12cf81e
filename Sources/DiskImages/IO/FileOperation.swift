internal import Glibc
internal import HostSystem

/// A transfer between a file and memory that is in flight, or waits for its turn.
final class FileOperation: @unchecked Sendable {
    // @unchecked: used by one thread at a time: the loop's, or the thread of the pool that it was given to for good.

    let group: IOGroup
    let completion: DiskCompletion
    private var transfer: FileTransfer
    // Vectors at an address that stays.
    private var vectors: UnsafeMutableBufferPointer<iovec>?

    init(_ transfer: FileTransfer, in group: IOGroup, completion: @escaping DiskCompletion) {
        self.transfer = transfer
        self.group = group
        self.completion = completion
    }

    deinit { vectors?.deallocate() }

    var descriptor: Int32 { transfer.descriptor }
    var position: UInt64 { transfer.position }
    var isWrite: Bool { transfer.kind == .write }
    /// Bytes that are left to transfer.
    var count: Int { transfer.rest.count }

    /// Does what the host can do without waiting.
    func tryAtOnce() -> FileTransfer.Attempt { transfer.tryAtOnce() }

    /// The next step for the ring. Its vectors stay in place until the call of `advance` for it.
    func nextStep() -> IORing.Operation {
        if transfer.kind == .synchronize { return .synchronize }
        let isRead = transfer.kind != .write
        let next = transfer.vectors
        if next.count <= 1 {
            let buffer = UnsafeMutableRawBufferPointer(start: next.first?.iov_base, count: next.first?.iov_len ?? 0)
            return isRead ? .read(buffer) : .write(buffer)
        }
        vectors?.deallocate()
        let copy = UnsafeMutableBufferPointer<iovec>.allocate(capacity: next.count)
        _ = copy.initialize(from: next)
        vectors = copy
        let address = UnsafeRawPointer(copy.baseAddress!)
        return isRead ? .readVectors(address, count: copy.count) : .writeVectors(address, count: copy.count)
    }

    func advance(by result: Int32) -> FileTransfer.Next {
        let next = transfer.advance(by: Int(result))
        if case .finished = next { return next }
        return group.isCancelled ? .finished(.cancelled) : next
    }

    /// Does the rest on the calling thread.
    func runBlocking() -> DiskImageError? {
        if group.isCancelled { return .cancelled }
        return transfer.run { group.isCancelled }
    }
}

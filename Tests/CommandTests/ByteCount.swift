import Synchronization

/// Bytes that a server's threads count.
final class ByteCount: Sendable {
    private let value = Mutex(0)

    func add(_ count: Int) { value.withLock { $0 += count } }
    var count: Int { value.withLock { $0 } }
}

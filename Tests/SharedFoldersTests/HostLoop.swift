import Glibc
import HostSystem
import Synchronization

/// Does something over and over on a thread of its own, until it is told to end.
final class HostLoop: Sendable {
    private let isEnding = Atomic(false)
    private let thread = Mutex<HostThread?>(nil)

    init(_ body: @escaping @Sendable () -> Void) {
        let started = try? HostThread(name: "host") { [self] in
            while !isEnding.load(ordering: .relaxed) { body() }
        }
        thread.withLock { $0 = started }
    }

    func stop() {
        isEnding.store(true, ordering: .relaxed)
        let ended = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        ended?.join()
    }
}

/// A value that a test's threads share.
final class Locked<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    func with<Result: Sendable>(_ body: @Sendable (inout Value) -> Result) -> Result { value.withLock { body(&$0) } }
}

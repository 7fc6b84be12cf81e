internal import Glibc

/// Bytes on their way to a descriptor whose reader may stall: a bounded queue, and a thread of its own that writes.
///
/// Whoever queues bytes never waits. The thread may block in write(2), which is what a pipe or a terminal without a reader
/// does to it: O_NONBLOCK is no way out, because it belongs to the open file, which other processes share. `abandon` and
/// `close` interrupt the thread by a signal instead.
package final class OutputQueue: Sendable {
    /// Bytes that one call of write(2) gets at most.
    private static let chunk = 1 << 16
    /// Bytes that a pipe takes without blocking when it polls as writable (PIPE_BUF).
    private static let atomicChunk = 4096
    /// How long bytes gather before the thread writes them, in nanoseconds: a guest's console sends single bytes, and
    /// waking the thread for each costs more than writing it.
    private static let gathering: UInt64 = 1_000_000
    /// How long `close` lets the thread write before it interrupts each call, in nanoseconds.
    private static let lastWrites: UInt64 = 200_000_000

    private enum Mode {
        case open
        /// Nobody waits for the reader any more: only what write(2) takes without blocking is written.
        case abandoned
    }

    private struct Events: Sendable {
        let hasRoom: @Sendable () -> Void
        let hasFailed: @Sendable (SystemError) -> Void
    }

    private struct State {
        var mode = Mode.open
        var bytes: [UInt8] = []
        /// Bytes that the thread has taken from `bytes` and not yet written.
        var inHand = 0
        /// The thread waits for bytes, and has to be woken for new ones.
        var isIdle = true
        /// The thread lets bytes gather, and has to be woken when there are enough.
        var isGathering = false
        /// Somebody waits in `flush`: nothing gathers.
        var isFlushing = false
        /// A write found too little room, so that `the handler for room` is to be called.
        var wantsRoom = false
        var failure: SystemError?
        /// The thread does not write any more, or never did.
        var hasEnded = true
        var thread: InterruptibleThread?

        var count: Int { bytes.count + inHand }
    }

    private let name: String
    private let descriptor: Int32
    private let capacity: Int
    private let prepare: @Sendable (Int) -> Void
    private let state = Monitor(State())

    /// - Parameters:
    ///   - name: of the thread.
    ///   - descriptor: stays the caller's and open until `close` returns.
    ///   - capacity: bytes that wait at most.
    ///   - prepare: called on the thread before each write, with the number of bytes.
    package init(
        name: String, descriptor: Int32, capacity: Int, prepare: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.name = name
        self.descriptor = descriptor
        self.capacity = capacity
        self.prepare = prepare
    }

    // MARK: Lifecycle

    /// Starts the thread, which keeps the queue alive until `close`. Once.
    ///
    /// - Parameters:
    ///   - onRoom: called on the thread when there is room again after a write that found too little.
    ///   - onFailure: called on the thread, once, when nothing more can be written. Bytes are dropped from then on.
    package func start(
        onRoom: @escaping @Sendable () -> Void = {}, onFailure: @escaping @Sendable (SystemError) -> Void = { _ in }
    ) throws(SystemError) {
        state.update { state in
            precondition(state.thread == nil, "an output queue has one thread")
            state.hasEnded = false
        }
        do throws(SystemError) {
            let thread = try InterruptibleThread(name: name) { [self] in
                run(Events(hasRoom: onRoom, hasFailed: onFailure))
            }
            state.update { $0.thread = thread }
        } catch {
            state.update { $0.hasEnded = true }
            throw error
        }
    }

    /// Waits until everything is written, for as long as the reader takes.
    ///
    /// - Returns: false when the output failed or was abandoned before that.
    package func flush() -> Bool {
        state.update { $0.isFlushing = true }
        defer { state.update { $0.isFlushing = false } }
        let isWritten = state.wait { state -> Bool? in
            if state.failure != nil { return false }
            if state.count == 0 { return true }
            return state.mode == .open && !state.hasEnded ? nil : false
        }
        return isWritten ?? false
    }

    /// From now on nobody waits for the reader: what it does not take at once is dropped. Any thread; it never waits.
    package func abandon() {
        let thread = state.update { state in
            state.mode = .abandoned
            return state.thread
        }
        thread?.interrupt()
    }

    /// Abandons what the reader does not take at once, and joins the thread. Not from a handler.
    ///
    /// - Returns: how many bytes were dropped, not counting those after a failure.
    @discardableResult
    package func close() -> Int {
        let thread = state.update { state in
            state.mode = .abandoned
            defer { state.thread = nil }
            return state.thread
        }
        // The thread has time for what the reader takes at once: it is interrupted only where it blocks.
        thread?.interrupt()
        _ = state.wait(until: HostClock.monotonic() &+ Self.lastWrites) { $0.hasEnded ? () : nil }
        thread?.join()
        return state.withLock { $0.failure == nil ? $0.count : 0 }
    }

    // MARK: Bytes

    /// Queues bytes from the start of `new`, as far as there is room. Any thread; it never waits.
    ///
    /// - Parameter reserve: room beyond the capacity.
    /// - Returns: how many bytes were taken. After fewer than all of them, `onRoom` is called. All are taken, and dropped,
    ///   after a failure and when nobody writes any more.
    package func write(_ new: [UInt8], reserve: Int = 0) -> Int {
        let (taken, wakes) = state.withLock { state in
            if state.failure != nil || state.mode == .abandoned { return (new.count, false) }
            let taken = max(0, min(new.count, capacity + reserve - state.count))
            state.bytes += new.prefix(taken)
            if taken < new.count { state.wantsRoom = true }
            let isEnough = state.isGathering && state.bytes.count >= Self.atomicChunk
            guard isEnough || state.isIdle && taken > 0 else { return (taken, false) }
            state.isIdle = false
            state.isGathering = false
            return (taken, true)
        }
        // A wake-up costs more than the write: the thread gets it only when it waits for this.
        if wakes { state.update { _ in } }
        return taken
    }

    /// Queues all of the bytes or, when there is no room for them, none.
    package func writeWhole(_ new: [UInt8]) -> Bool {
        let isTaken = state.update { state in
            guard state.failure == nil, state.mode == .open, state.count + new.count <= capacity else { return false }
            state.bytes += new
            return true
        }
        return isTaken
    }

    /// Whether a `write` had to leave bytes behind since there was room last.
    package var isFull: Bool { state.withLock { $0.wantsRoom } }

    /// Why nothing can be written any more.
    package var failure: SystemError? { state.withLock { $0.failure } }

    // MARK: The thread

    private func run(_ events: Events) {
        while let bytes = next() {
            guard writeAll(bytes, events) else { break }
        }
        state.update { $0.hasEnded = true }
    }

    /// Takes everything that waits, when something does; nil at the end.
    private func next() -> [UInt8]? {
        let isWaiting = state.wait { state -> Bool? in
            if !state.bytes.isEmpty { return true }
            if state.mode == .abandoned { return false }
            state.isIdle = true
            return nil
        }
        guard isWaiting == true else { return nil }
        _ = state.wait(until: HostClock.monotonic() &+ Self.gathering) { state in
            state.isGathering = true
            return state.isFlushing || state.mode == .abandoned || state.bytes.count >= Self.atomicChunk ? () : nil
        }
        return state.withLock { state in
            defer { state.bytes = [] }
            state.isGathering = false
            state.inHand = state.bytes.count
            return state.bytes
        }
    }

    /// False when nothing more shall be written.
    private func writeAll(_ bytes: [UInt8], _ events: Events) -> Bool {
        var done = 0
        while done < bytes.count {
            let isAbandoned = state.withLock { $0.mode == .abandoned }
            if isAbandoned && !isWritable { return false }
            let count = min(bytes.count - done, isAbandoned ? Self.atomicChunk : Self.chunk)
            prepare(count)
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, count) }
            if written >= 0 {
                done += written
                note(written, events)
            } else if errno == EAGAIN {
                // Another process has made the open file non-blocking.
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&entry, 1, -1)
            } else if errno != EINTR {
                fail(.last("write"), events)
                return false
            } else if isAbandoned {
                return false
            }
        }
        return true
    }

    private var isWritable: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    private func note(_ written: Int, _ events: Events) {
        let hasRoom = state.update { state in
            state.inHand -= written
            guard state.wantsRoom, state.count <= capacity / 2 else { return false }
            state.wantsRoom = false
            return true
        }
        if hasRoom { events.hasRoom() }
    }

    private func fail(_ error: SystemError, _ events: Events) {
        state.update { state in
            state.failure = error
            state.bytes = []
            state.inHand = 0
            state.wantsRoom = false
        }
        events.hasFailed(error)
        // What waits for room need not wait: from now on everything is taken.
        events.hasRoom()
    }
}

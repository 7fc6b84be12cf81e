internal import HostSystem

/// A bounded queue of bytes between a thread and a task. The thread's side never waits, the task's side suspends.
package final class BytePipe: Sendable {
    private enum Side { case reader, writer }

    private struct Waiter {
        let id: UInt64
        let side: Side
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var bytes: [UInt8] = []
        /// Nothing is written any more.
        var hasEnded = false
        /// The reason of an early end; the reader gets it behind the last byte.
        var failure: AerieError?
        /// Nobody reads any more.
        var isClosed = false
        var waiters: [Waiter] = []
        var nextWaiter: UInt64 = 0

        var isReadable: Bool { !bytes.isEmpty || hasEnded || isClosed }
    }

    private let limit: Int
    private let state = Monitor(State())
    private let onBytes: @Sendable () -> Void
    private let onRoom: @Sendable () -> Void

    /// - Parameters:
    ///   - limit: the most bytes that wait; at least 1.
    ///   - onBytes: called on any thread when there are bytes or an end to read, for a reader that is a thread.
    ///   - onRoom: called on any thread when there is room again or nobody reads any more, for a writer that is a thread.
    package init(
        limit: Int, onBytes: @escaping @Sendable () -> Void = {}, onRoom: @escaping @Sendable () -> Void = {}
    ) {
        self.limit = limit
        self.onBytes = onBytes
        self.onRoom = onRoom
    }

    // MARK: Writing

    /// Takes bytes from the start of `bytes` as far as there is room. A pipe that nobody reads takes all, and drops them.
    ///
    /// - Returns: the number of bytes taken.
    package func offer(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = change(.reader) { state in
            guard !state.isClosed, !state.hasEnded else { return bytes.count }
            let count = min(bytes.count, limit - state.bytes.count)
            state.bytes.append(contentsOf: bytes.prefix(count))
            return count
        }
        if count > 0 { onBytes() }
        return count
    }

    /// Takes all bytes. Where there is no room, the oldest bytes are lost.
    package func push(_ bytes: [UInt8]) {
        change(.reader) { state in
            guard !state.isClosed, !state.hasEnded else { return }
            state.bytes.append(contentsOf: bytes.suffix(limit))
            // Half at once: a removal moves what stays.
            if state.bytes.count > limit { state.bytes.removeFirst(max(state.bytes.count - limit, limit / 2)) }
        }
        onBytes()
    }

    /// Ends the bytes. The first end counts.
    package func finish(_ failure: AerieError? = nil) {
        let isFirst = state.withLock { state -> Bool in
            defer { state.hasEnded = true }
            if !state.hasEnded { state.failure = failure }
            return !state.hasEnded
        }
        guard isFirst else { return }
        wake(.reader)
        wake(.writer)
        onBytes()
    }

    /// Writes all bytes, and suspends while there is no room.
    ///
    /// - Throws: `cancelled`, and `inputOutput` when nobody reads any more.
    package func send(_ bytes: [UInt8]) async throws(AerieError) {
        var done = 0
        while done < bytes.count {
            try AerieError.checkCancellation("sending input")
            let isOpen = state.withLock { !$0.isClosed && !$0.hasEnded }
            guard isOpen else {
                throw AerieError(.inputOutput, asked: "sending input", found: "its reader has ended")
            }
            done += bytes.withUnsafeBytes { offer(UnsafeRawBufferPointer(rebasing: $0[done...])) }
            guard done < bytes.count else { return }
            await suspend(.writer) { $0.bytes.count < limit || $0.isClosed || $0.hasEnded }
        }
    }

    // MARK: Reading

    /// Takes up to `limit` waiting bytes.
    package func read(limit: Int) -> [UInt8] {
        let bytes = change(.writer) { state -> [UInt8] in
            let taken = Array(state.bytes.prefix(limit))
            state.bytes.removeFirst(taken.count)
            return taken
        }
        if !bytes.isEmpty { onRoom() }
        return bytes
    }

    /// Whether bytes wait, for a reader that is a thread.
    package var hasBytes: Bool { state.withLock { !$0.bytes.isEmpty } }

    /// Whether all bytes were read, and no more come.
    package var isAtEnd: Bool { state.withLock { $0.hasEnded && $0.bytes.isEmpty } }

    /// Takes all waiting bytes, and suspends until there are some.
    ///
    /// - Returns: nil after the last byte.
    /// - Throws: the reason of an early end, and `cancelled`.
    package func next() async throws(AerieError) -> [UInt8]? {
        while true {
            let (bytes, isOver, failure) = change(.writer) { state -> ([UInt8], Bool, AerieError?) in
                var taken: [UInt8] = []
                swap(&taken, &state.bytes)
                return (taken, taken.isEmpty && (state.hasEnded || state.isClosed), state.failure)
            }
            if !bytes.isEmpty {
                onRoom()
                return bytes
            }
            if isOver {
                if let failure { throw failure }
                return nil
            }
            try AerieError.checkCancellation("reading output")
            await suspend(.reader) { $0.isReadable }
        }
    }

    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Ends the reading. What waits is dropped, and what is written later, too.
    package func close() {
        state.withLock { state in
            state.isClosed = true
            state.bytes = []
        }
        wake(.reader)
        wake(.writer)
        onRoom()
    }

    // MARK: Waiting

    /// Changes the state, and wakes the tasks of the other side.
    private func change<Value>(_ side: Side, _ body: (inout State) -> Value) -> Value {
        let value = state.withLock { body(&$0) }
        wake(side)
        return value
    }

    private func wake(_ side: Side) {
        let woken = state.withLock { state -> [Waiter] in
            guard !state.waiters.isEmpty else { return [] }
            let woken = state.waiters.filter { $0.side == side }
            state.waiters.removeAll { $0.side == side }
            return woken
        }
        for waiter in woken { waiter.continuation.resume() }
    }

    /// Suspends until the other side has changed the state, or the task is cancelled.
    private func suspend(_ side: Side, unless isReady: (State) -> Bool) async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWaiting = state.withLock { state -> Bool in
                    // A cancellation that comes later finds the waiter; one that has come before is seen here.
                    guard !isReady(state), !Task.isCancelled else { return false }
                    state.waiters.append(Waiter(id: id, side: side, continuation: continuation))
                    return true
                }
                if !isWaiting { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume()
        }
    }
}

extension AerieError {
    /// Throws when the present task was cancelled.
    package static func checkCancellation(_ asked: String) throws(AerieError) {
        if Task.isCancelled { throw cancelled(asked) }
    }

    package static func cancelled(_ asked: String) -> AerieError {
        AerieError(.cancelled, asked: asked, found: "the task was cancelled")
    }
}

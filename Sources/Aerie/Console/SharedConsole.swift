internal import HostSystem

/// The console of a machine that was built without a channel: any number of sessions read what the guest writes, and type.
final class SharedConsole: ConsoleChannel {
    /// Bytes of output that a new session gets first.
    private static let recentLimit = 64 << 10
    /// Bytes that wait for a session's reader.
    private static let sessionLimit = 1 << 20
    /// Typed bytes that wait for the guest.
    private static let inputLimit = 64 << 10

    private struct State {
        var recent: [UInt8] = []
        var sessions: [(id: Int, output: BytePipe)] = []
        var next = 0
        var hasEnded = false
    }

    private let state = Monitor(State())
    private let handler: HandlerSlot
    private let input: BytePipe

    init() {
        let handler = HandlerSlot()
        self.handler = handler
        input = BytePipe(limit: Self.inputLimit, onBytes: { handler.call() })
    }

    func open() -> ConsoleSession {
        let output = BytePipe(limit: Self.sessionLimit)
        let id = state.withLock { state in
            if !state.recent.isEmpty { output.push(state.recent) }
            state.next += 1
            if !state.hasEnded { state.sessions.append((state.next, output)) }
            return state.next
        }
        if state.withLock({ $0.hasEnded }) { output.finish() }
        return ConsoleSession(output: output, input: input) { [weak self] in
            self?.state.withLock { state in state.sessions.removeAll { $0.id == id } }
        }
    }

    /// Ends all sessions behind the guest's last output.
    func end() {
        let sessions = state.withLock { state in
            state.hasEnded = true
            defer { state.sessions = [] }
            return state.sessions
        }
        for session in sessions { session.output.finish() }
        input.close()
    }

    // MARK: The machine's side

    func read(limit: Int) -> [UInt8] { input.read(limit: limit) }

    func write(_ bytes: [UInt8]) -> Int {
        state.withLock { state in
            state.recent += bytes.suffix(Self.recentLimit)
            // Seldom: a removal moves what stays.
            if state.recent.count > 2 * Self.recentLimit {
                state.recent.removeFirst(state.recent.count - Self.recentLimit)
            }
            // With the lock, so that no session gets two writes in the wrong order.
            for session in state.sessions { session.output.push(bytes) }
        }
        return bytes.count
    }

    func setHandler(_ handler: (@Sendable () -> Void)?) { self.handler.set(handler) }

    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

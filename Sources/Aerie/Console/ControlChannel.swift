internal import HostSystem
internal import Machine

/// The host side of the control port: lines of text between the machine and the guest's agent. The port is a virtio console of its own.
///
/// To the guest: `poweroff`, `reboot`, `time SECONDS NANOSECONDS`, the time since 1970 that its clock shall have at once, and `window ROWS
/// COLUMNS`, the size of the terminal at its console. From the guest: `ready VERSION` when its agent listens, and `oom` when its kernel has
/// killed a process for want of memory. Everything else that the guest writes is ignored.
final class ControlChannel: CharacterChannel {
    private static let longestLine = 64
    /// Bytes that wait for a guest at most.
    private static let mostWaiting = 256

    private struct State {
        var waiting: [UInt8] = []
        /// The beginning of a line of the guest's.
        var line: [UInt8] = []
        /// The rest of a line that is too long is passed over.
        var isOverlong = false
        /// The agent of the guest's present run has announced itself.
        var isAgentReady = false
        /// The words about the window of the guest's console, which its agent hears when it is ready.
        var window: String?
        /// The guest has reported a lack of memory, and nobody was told yet.
        var lacksMemory = false

        /// A word that waits already need not be repeated, and a guest that does not listen gets few.
        mutating func add(_ word: String) {
            let line = Array("\(word)\n".utf8)
            guard waiting.count + line.count <= ControlChannel.mostWaiting,
                !waiting.split(separator: UInt8(ascii: "\n")).contains(line.dropLast())
            else { return }
            waiting += line
        }
    }

    private let state = Monitor(State())
    private let handler = HandlerSlot()
    /// Called when the guest's kernel has killed a process for want of memory.
    let outOfMemory = HandlerSlot()

    /// Leaves a word for the guest, which may not listen yet, or never.
    func send(_ word: String) {
        state.withLock { $0.add(word) }
        handler.call()
    }

    /// Tells the guest's agent the size of the window behind the console, as soon as it listens.
    func tellWindow(rows: UInt16, columns: UInt16) {
        let word = "window \(rows) \(columns)"
        let isNews = state.withLock { state in
            guard state.window != word else { return false }
            state.window = word
            if state.isAgentReady { state.add(word) }
            return state.isAgentReady
        }
        if isNews { handler.call() }
    }

    /// Tells the guest the time, if somebody there listens: a time that waits would be a wrong one.
    func sendTime() {
        guard state.withLock({ $0.isAgentReady }) else { return }
        let now = HostClock.realtime()
        send("time \(now / 1_000_000_000) \(now % 1_000_000_000)")
    }

    /// Forgets the guest's agent, because the guest starts anew.
    func reset() {
        state.update { state in
            state.isAgentReady = false
            state.line = []
            state.waiting = []
        }
    }

    /// Takes over what a saved machine knew of its agent.
    func restore(isAgentReady: Bool) { state.update { $0.isAgentReady = isAgentReady } }

    var isAgentReady: Bool { state.withLock { $0.isAgentReady } }

    /// Waits until the agent is ready.
    ///
    /// - Parameter deadline: nanoseconds of `HostClock.monotonic`.
    /// - Returns: false when the deadline passed first.
    func waitForAgent(until deadline: UInt64) -> Bool {
        state.wait(until: deadline) { $0.isAgentReady ? true : nil } ?? false
    }

    func read(limit: Int) -> [UInt8] {
        state.withLock { state in
            let taken = Array(state.waiting.prefix(limit))
            state.waiting.removeFirst(taken.count)
            return taken
        }
    }

    func write(_ bytes: [UInt8]) -> Int {
        let (isNews, lacksMemory) = state.update { state in
            let wasReady = state.isAgentReady
            for byte in bytes { Self.take(byte, &state) }
            defer { state.lacksMemory = false }
            guard state.isAgentReady, !wasReady, let window = state.window else { return (false, state.lacksMemory) }
            state.add(window)
            return (true, state.lacksMemory)
        }
        if isNews { handler.call() }
        if lacksMemory { outOfMemory.call() }
        return bytes.count
    }

    private static func take(_ byte: UInt8, _ state: inout State) {
        guard byte == UInt8(ascii: "\n") else {
            if state.line.count == longestLine { state.isOverlong = true }
            if !state.isOverlong { state.line.append(byte) }
            return
        }
        if !state.isOverlong, state.line.starts(with: Array("ready ".utf8)) { state.isAgentReady = true }
        if !state.isOverlong, state.line == Array("oom".utf8) { state.lacksMemory = true }
        state.line = []
        state.isOverlong = false
    }

    func setHandler(_ handler: (@Sendable () -> Void)?) { self.handler.set(handler) }

    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

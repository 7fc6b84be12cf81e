internal import HostSystem
internal import Machine

/// The host side of the control port: lines of text between the machine and the guest's agent. The port is a virtio console of its own.
///
/// To the guest: `poweroff`, `reboot`, `time SECONDS NANOSECONDS`, the time since 1970 that its clock shall have at once, and `window ROWS
/// COLUMNS`, the size of the terminal at its console. From the guest: `ready VERSION` when its agent listens, and `oom` when its kernel has
/// killed a process for want of memory. Everything else that the guest writes is ignored.
final class ControlChannel: CharacterChannel {
    private static let longestLine = 64

    private struct State {
        /// The rest of the word that the guest is reading.
        var waiting: [UInt8] = []
        /// Words that wait, one of a kind: a guest that does not listen gets few.
        var words: [String] = []
        /// The beginning of a line of the guest's.
        var line: [UInt8] = []
        /// The rest of a line that is too long is passed over.
        var isOverlong = false
        /// The agent of the guest's present run has announced itself.
        var isAgentReady = false
        /// The window of the guest's console, of which the agent hears when it is ready.
        var window: (rows: UInt16, columns: UInt16)?
        /// What the guest wrote last reports a lack of memory.
        var lacksMemory = false

        mutating func addWindow() {
            if let window { add("window \(window.rows) \(window.columns)") }
        }

        /// A later word of a kind takes the place of the one that waits.
        mutating func add(_ word: String) {
            let kind = word.prefix { $0 != " " }
            words.removeAll { $0.prefix { $0 != " " } == kind }
            words.append(word)
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
        let isNews = state.withLock { state in
            // A console's handler asks at each input.
            guard state.window.map({ $0 != (rows, columns) }) ?? true else { return false }
            state.window = (rows, columns)
            if state.isAgentReady { state.addWindow() }
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
            state.words = []
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
            var taken: [UInt8] = []
            while taken.count < limit {
                if state.waiting.isEmpty {
                    guard !state.words.isEmpty else { break }
                    state.waiting = Array("\(state.words.removeFirst())\n".utf8)
                }
                let part = state.waiting.prefix(limit - taken.count)
                taken += part
                state.waiting.removeFirst(part.count)
            }
            return taken
        }
    }

    func write(_ bytes: [UInt8]) -> Int {
        let (isNews, lacksMemory) = state.update { state in
            let wasReady = state.isAgentReady
            state.lacksMemory = false
            for byte in bytes { Self.take(byte, &state) }
            let isNews = state.isAgentReady && !wasReady && state.window != nil
            if isNews { state.addWindow() }
            return (isNews, state.lacksMemory)
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

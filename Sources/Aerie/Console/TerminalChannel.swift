internal import Glibc
internal import HostSystem
internal import Synchronization

/// A guest's console on this process's standard input and output, or on any two descriptors.
///
/// A terminal is switched to raw mode: every key is the guest's, except Ctrl-] three times within a second. Input that is
/// no terminal is a script for the guest's shell; `InputPacer` says how it gets there, and what comes after its end.
public final class TerminalChannel: ConsoleChannel {
    /// What happens on the host's side of a console.
    public enum Event: Equatable, Sendable {
        /// Ctrl-] was typed three times within a second.
        case escape
        /// Nothing more can be written, for this reason: the reader of a pipe is gone, a disk is full.
        case outputLost(reason: String)
    }

    private struct State {
        var queue = ByteQueue(capacity: 1 << 16)
        var inputEnded = false
        var escape = EscapeDetector()
        /// Only for input that is no terminal.
        var pacer: InputPacer?
        var handler: (@Sendable () -> Void)?
        /// The guest wants more than it got, so the handler is to be called when there is more.
        var isAsking = true
        var windowChanged = false
        var outputLost = false
        var closed = false
        /// Until when the input thread sleeps if nobody wakes it.
        var plannedWake: UInt64?

        /// When the handler is to be called; nil when input or output must come first.
        var wakeTime: UInt64? {
            guard isAsking, handler != nil else { return nil }
            if let pacer { return pacer.wakeTime(waiting: queue.count, isEnded: inputEnded) }
            return queue.count > 0 ? 0 : nil
        }

        /// Whether the input thread would come too late for the guest.
        var oversleeps: Bool {
            guard let wakeTime else { return false }
            return plannedWake.map { wakeTime < $0 } ?? true
        }
    }

    private static let chunk = 4096

    private let input: Int32
    private let output: Int32
    private let inputIsTerminal: Bool
    private let outputIsTerminal: Bool
    private let clock: @Sendable () -> UInt64
    private let onEvent: @Sendable (Event) -> Void
    private let state: Mutex<State>
    private let wake: EventCounter
    private let closing: EventCounter

    /// A console on two open descriptors, which stay the caller's. `onEvent` is called on any thread and must not block.
    public convenience init(
        input: Int32 = 0, output: Int32 = 1, onEvent: @escaping @Sendable (Event) -> Void
    ) throws(AerieError) {
        try self.init(input: input, output: output, clock: HostClock.monotonic, onEvent: onEvent)
    }

    init(
        input: Int32, output: Int32, clock: @escaping @Sendable () -> UInt64,
        onEvent: @escaping @Sendable (Event) -> Void
    ) throws(AerieError) {
        self.input = input
        self.output = output
        self.clock = clock
        self.onEvent = onEvent
        inputIsTerminal = Terminal.isTerminal(input)
        outputIsTerminal = Terminal.isTerminal(output)
        do throws(SystemError) {
            wake = try EventCounter()
            closing = try EventCounter()
        } catch { throw AerieError(opening: "the console", error) }
        var state = State()
        if !inputIsTerminal { state.pacer = InputPacer(now: clock()) }
        self.state = Mutex(state)
    }

    /// Whether somebody sits at the keyboard.
    public var isInteractive: Bool { inputIsTerminal }

    /// Switches a terminal to raw mode and begins to take input. Call it once, before the machine starts.
    public func open() throws(AerieError) {
        do throws(SystemError) {
            if inputIsTerminal { try Terminal.enterRawMode(input: input, output: output) }
            _ = try HostThread(name: "console") { [self] in serveInput() }
        } catch { throw AerieError(opening: "the console", error) }
    }

    /// Puts the terminal back and lets every thread go that waits here. Output that comes later is dropped.
    public func close() {
        state.withLock { $0.closed = true }
        closing.signal()
        wake.signal()
        Terminal.restore()
    }

    /// Tells that the terminal's window has another size: the guest's console looks at `windowSize` again.
    public func windowSizeChanged() {
        state.withLock { $0.windowChanged = true }
        wake.signal()
    }

    /// Columns and rows of the terminal's window; nil when input or output is no terminal.
    public var windowSize: (columns: UInt16, rows: UInt16)? {
        inputIsTerminal ? Terminal.windowSize(output) : nil
    }

    /// Registers what to call when `read` has something new or `windowSize` has changed.
    public func setHandler(_ handler: (@Sendable () -> Void)?) {
        state.withLock {
            $0.handler = handler
            $0.isAsking = true
        }
        wake.signal()
    }

    /// Takes input that is the guest's by now.
    public func read(limit: Int) -> [UInt8] {
        let (bytes, tellThread) = state.withLock { state in
            let wasFull = state.queue.room < Self.chunk
            var bytes: [UInt8]
            if state.pacer != nil {
                let isEnded = state.inputEnded
                bytes = state.pacer!.next(limit: limit, from: &state.queue, isEnded: isEnded, at: clock())
            } else {
                bytes = state.queue.take(limit)
            }
            state.isAsking = bytes.count < limit
            let hasRoomAgain = wasFull && state.queue.room >= Self.chunk
            return (bytes, hasRoomAgain || state.oversleeps)
        }
        if tellThread { wake.signal() }
        return bytes
    }

    /// Writes to the host, waiting for a slow reader until the console is closed.
    public func write(_ bytes: [UInt8]) -> Int {
        let (isLost, tellThread) = state.withLock { state in
            guard state.pacer != nil else { return (state.outputLost, false) }
            state.pacer!.guestWrote(bytes, at: clock())
            return (state.outputLost, state.oversleeps)
        }
        if tellThread { wake.signal() }
        if outputIsTerminal && bytes.contains(0x1b) { Terminal.noteEscapeSequence() }
        if !isLost { bytes.withUnsafeBytes { writeAll($0) } }
        return bytes.count
    }
}

extension TerminalChannel {
    private func writeAll(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // A pipe that polls as writable takes PIPE_BUF (4096) bytes without blocking.
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.chunk))
            var entries = [
                pollfd(fd: output, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: closing.rawValue, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&entries, 2, -1) == -1 { continue }
            if entries[1].revents != 0 { return }
            let count = Glibc.write(output, part.baseAddress, part.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR && errno != EAGAIN {
                loseOutput(SystemError.last("write"))
                return
            }
        }
    }

    private func loseOutput(_ error: SystemError) {
        let isNews = state.withLock { state in
            defer { state.outputLost = true }
            return !state.outputLost
        }
        if isNews { onEvent(.outputLost(reason: error.description)) }
    }

    /// The input thread: reads what there is room for, and calls the handler when it is time.
    private func serveInput() {
        while true {
            let (takesInput, wakeTime) = state.withLock { state in
                state.plannedWake = state.wakeTime
                return (!state.inputEnded && state.queue.room >= Self.chunk, state.wakeTime)
            }
            var entries = [
                pollfd(fd: wake.rawValue, events: Int16(POLLIN), revents: 0),
                // poll ignores a negative descriptor.
                pollfd(fd: takesInput ? input : -1, events: Int16(POLLIN), revents: 0),
            ]
            _ = poll(&entries, 2, milliseconds(until: wakeTime))
            if entries[0].revents != 0 { wake.drain() }
            if state.withLock({ $0.closed }) { return }
            if entries[1].revents != 0 { takeInput() }
            callHandlerWhenDue()
        }
    }

    private func milliseconds(until time: UInt64?) -> Int32 {
        guard let time else { return -1 }
        let now = clock()
        return time <= now ? 0 : Int32(min((time - now) / 1_000_000 + 1, 60_000))
    }

    private func takeInput() {
        var chunk = [UInt8](repeating: 0, count: Self.chunk)
        let count = Glibc.read(input, &chunk, chunk.count)
        // Not an end: a signal came, or another process that shares the descriptor was quicker.
        if count == -1 && (errno == EINTR || errno == EAGAIN) { return }
        let escaped = state.withLock { state in
            // Every other failure is an end: a terminal that was hung up, a directory.
            guard count > 0 else {
                state.inputEnded = true
                return false
            }
            let bytes = Array(chunk[..<count])
            guard inputIsTerminal else {
                state.queue.append(bytes)
                return false
            }
            let (forGuest, escaped) = state.escape.examine(bytes, at: clock())
            state.queue.append(bytes[..<forGuest])
            if escaped { state.inputEnded = true }
            return escaped
        }
        if escaped { onEvent(.escape) }
    }

    private func callHandlerWhenDue() {
        let handler = state.withLock { state -> (@Sendable () -> Void)? in
            if state.windowChanged {
                state.windowChanged = false
                return state.handler
            }
            guard let time = state.wakeTime, time <= clock() else { return nil }
            state.isAsking = false
            return state.handler
        }
        handler?()
    }
}

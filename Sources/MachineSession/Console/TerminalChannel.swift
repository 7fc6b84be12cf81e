package import Aerie
internal import Glibc
internal import HostSystem
internal import Synchronization

/// A guest's console on this process's standard input and output, or on any two descriptors.
///
/// A terminal is switched to raw mode: every key is the guest's, except Ctrl-] three times within a second. Input that is
/// not a terminal is a script for the guest's shell; `InputPacer` decides when the guest gets it, and what follows its end.
///
/// Output waits in a bounded queue for its reader. When the queue is full, the guest's console holds the guest up.
package final class TerminalChannel: ConsoleChannel {
    /// What happens on the host's side of a console.
    package enum Event: Equatable, Sendable {
        /// Ctrl-] was typed three times within a second.
        case escape
        /// Nothing more can be written, for this reason: the reader of a pipe is gone, a disk is full.
        case outputLost(reason: String)
    }

    private struct State {
        var queue = ByteQueue(capacity: TerminalChannel.inputCapacity)
        var inputEnded = false
        var escape = EscapeDetector()
        /// Only for input that is not a terminal.
        var pacer: InputPacer?
        /// The device wants more than it got, so the handler is to be called when there is more.
        var isAsking = true
        /// The handler is to be called in any case: the window has another size, or output has room again.
        var hasNews = false
        var closed = false
        /// Until when the input thread sleeps if nobody wakes it.
        var plannedWake: UInt64?

        /// When the handler is to be called; nil when input or output must come first.
        var wakeTime: UInt64? {
            if hasNews { return 0 }
            guard isAsking else { return nil }
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
    /// Bytes of input that wait for the guest at most.
    private static let inputCapacity = 1 << 16
    /// Bytes of output that wait for the reader at most.
    private static let outputCapacity = 1 << 16
    /// Room for the last bytes of a device that has stopped and so cannot wait: more than a UART holds back.
    private static let reserve = 8192

    private let input: Int32
    private let source: NonblockingInput
    private let output: Int32
    private let inputIsTerminal: Bool
    private let outputIsTerminal: Bool
    private let clock: @Sendable () -> UInt64
    private let onEvent: @Sendable (Event) -> Void
    private let handler = HandlerSlot()
    private let queue: OutputQueue
    private let state: Mutex<State>
    private let thread = Mutex<InterruptibleThread?>(nil)
    private let wake: EventCounter

    /// A console on two open descriptors, which stay the caller's. `onEvent` is called on any thread and must not block.
    package init(
        input: Int32 = 0, output: Int32 = 1, clock: @escaping @Sendable () -> UInt64 = { HostClock.monotonic() },
        onEvent: @escaping @Sendable (Event) -> Void
    ) throws(AerieError) {
        self.input = input
        source = NonblockingInput(input)
        self.output = output
        self.clock = clock
        self.onEvent = onEvent
        inputIsTerminal = Terminal.isTerminal(input)
        outputIsTerminal = Terminal.isTerminal(output)
        queue = OutputQueue(name: "console-output", descriptor: output, capacity: Self.outputCapacity)
        do throws(SystemError) {
            wake = try EventCounter()
        } catch { throw AerieError(opening: "the console", error) }
        var state = State()
        if !inputIsTerminal { state.pacer = InputPacer(now: clock()) }
        self.state = Mutex(state)
    }

    /// Whether somebody sits at the keyboard.
    package var isInteractive: Bool { inputIsTerminal }

    // MARK: Lifecycle

    /// Switches a terminal to raw mode and begins to take input and output. Call it once, before the machine starts, and
    /// `close` afterwards, also after an error.
    package func open() throws(AerieError) {
        do throws(SystemError) {
            if inputIsTerminal { try Terminal.enterRawMode(input: input, output: output) }
            try queue.start(onRoom: { [self] in outputHasRoom() }) { [onEvent] error in
                onEvent(.outputLost(reason: error.description))
            }
            let thread = try InterruptibleThread(name: "console-input") { [self] in serveInput() }
            self.thread.withLock { $0 = thread }
        } catch { throw AerieError(opening: "the console", error) }
    }

    /// Waits until all output is written, for as long as the reader takes; `abandonOutput` ends the wait.
    package func flush() { _ = queue.flush() }

    /// From now on nobody waits for the reader: output that it does not take at once is dropped. Any thread; it never waits.
    package func abandonOutput() { queue.abandon() }

    /// Types no more of a script, nor its end: the guest shall power off. A person at a terminal can still type. Any thread; it
    /// never waits.
    package func endScript() {
        state.withLock { state in
            guard state.pacer != nil else { return }
            state.inputEnded = true
            state.pacer = nil
            state.queue = ByteQueue(capacity: Self.inputCapacity)
        }
        wake.signal()
    }

    /// Puts the terminal back and ends the threads. Output that the reader does not take at once is dropped, like output
    /// that comes later.
    ///
    /// - Returns: the number of bytes that were dropped.
    @discardableResult
    package func close() -> Int {
        state.withLock { $0.closed = true }
        wake.signal()
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
        let dropped = queue.close()
        Terminal.restore()
        return dropped
    }

    // MARK: The guest's side

    /// Announces that the terminal's window has another size: the guest's console looks at `windowSize` again.
    package func windowSizeChanged() { callHandlerSoon() }

    /// Columns and rows of the terminal's window; nil when input or output is not a terminal.
    package var windowSize: (columns: UInt16, rows: UInt16)? {
        inputIsTerminal ? Terminal.windowSize(output) : nil
    }

    package func setHandler(_ handler: (@Sendable () -> Void)?) {
        self.handler.set(handler)
        state.withLock { $0.isAsking = true }
        wake.signal()
    }

    /// Takes input that is the guest's by now.
    package func read(limit: Int) -> [UInt8] {
        // A guest whose output is held up looks at the port's state for the transmitter's sake.
        let isHeldUp = queue.isFull
        let (bytes, tellThread) = state.withLock { state -> ([UInt8], Bool) in
            guard state.pacer == nil || !isHeldUp else {
                state.isAsking = false
                return ([], false)
            }
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

    /// Queues output. A caller without a handler cannot wait for room, and gets some beyond the queue's capacity.
    package func write(_ bytes: [UInt8]) -> Int {
        let count = queue.write(bytes, reserve: handler.isEmpty ? Self.reserve : 0)
        let taken = count == bytes.count ? bytes : Array(bytes.prefix(count))
        let tellThread = state.withLock { state in
            guard state.pacer != nil, !taken.isEmpty else { return false }
            state.pacer!.guestWrote(taken, at: clock())
            return state.oversleeps
        }
        if tellThread { wake.signal() }
        if outputIsTerminal && taken.contains(0x1b) { Terminal.noteEscapeSequence() }
        return count
    }

    private func outputHasRoom() { callHandlerSoon() }

    /// Lets the input thread call the handler: one thread for all calls.
    private func callHandlerSoon() {
        state.withLock { $0.hasNews = true }
        wake.signal()
    }
}

// MARK: The input thread

extension TerminalChannel {
    /// Reads what there is room for, and calls the handler when it is time.
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
        let outcome = chunk.withUnsafeMutableBytes { source.read(into: $0) }
        let escaped = state.withLock { state in
            // `endScript` may have come meanwhile.
            if state.inputEnded { return false }
            let bytes: [UInt8]
            switch outcome {
            case .empty: return false
            case .ended:
                state.inputEnded = true
                return false
            case .bytes(let count): bytes = Array(chunk[..<count])
            }
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
        let isDue = state.withLock { state in
            if state.hasNews {
                state.hasNews = false
                return true
            }
            guard let time = state.wakeTime, time <= clock() else { return false }
            state.isAsking = false
            return true
        }
        if isDue { handler.call() }
    }
}

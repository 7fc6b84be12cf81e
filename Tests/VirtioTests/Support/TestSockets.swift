import HostSockets
import HostSystem

/// A program at the other end of a connection, whose reading the test controls.
final class TestStream: HostStream, @unchecked Sendable {
    // @unchecked: everything that changes is behind the monitor.
    struct State {
        /// Bytes for the guest.
        var outgoing: [UInt8] = []
        var hasEnded = false
        /// Bytes from the guest that the program has, and those that wait for it.
        var incoming: [UInt8] = []
        var waiting: [UInt8] = []
        /// How many bytes the program takes.
        var appetite = Int.max
        var isBroken = false
        var isHungUp = false
        var guestEndedSending = false
        var guestEndedReceiving = false
        var isClosed = false
        var handler: (@Sendable () -> Void)?

        mutating func take() {
            let count = min(appetite, waiting.count)
            incoming += waiting.prefix(count)
            waiting.removeFirst(count)
            if appetite != .max { appetite -= count }
        }
    }

    let state = Monitor(State())

    var handler: (@Sendable () -> Void)? {
        get { state.withLock { $0.handler } }
        set { state.update { $0.handler = newValue } }
    }

    func send(_ pieces: [UnsafeRawBufferPointer]) {
        state.update { state in
            guard !state.isBroken else { return }
            for piece in pieces { state.waiting += piece }
            state.take()
        }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }
    var incoming: [UInt8] { state.withLock { $0.incoming } }

    var waitingCount: Int { state.withLock { $0.waiting.count } }
    var isBroken: Bool { state.withLock { $0.isBroken } }
    var isHungUp: Bool { state.withLock { $0.isHungUp } }

    func receive(into pieces: [UnsafeMutableRawBufferPointer]) -> ReceivedBytes {
        state.update { state in
            if state.outgoing.isEmpty { return state.hasEnded ? .end : .none }
            var done = 0
            for piece in pieces {
                let part = state.outgoing[done...].prefix(piece.count)
                part.withUnsafeBytes { piece.copyMemory(from: $0) }
                done += part.count
            }
            state.outgoing.removeFirst(done)
            return .bytes(done)
        }
    }

    func endSending() { state.update { $0.guestEndedSending = true } }
    func endReceiving() { state.update { $0.guestEndedReceiving = true } }

    func close() {
        state.update { state in
            state.isClosed = true
            state.handler = nil
        }
    }

    /// The program does something, of which the device hears.
    func act(_ body: (inout State) -> Void) {
        state.update { state in
            body(&state)
            state.take()
        }
        TestLoop.shared.async { [self] in handler?() }
    }
}

/// Programs of the host in the test's memory.
final class TestSockets: SocketBackend, @unchecked Sendable {
    // @unchecked: everything that changes is behind the monitor.
    struct State {
        var served: Set<UInt32> = []
        var streams: [TestStream] = []
        var handler: (@Sendable (any HostStream, UInt32) -> Void)?
        /// How many bytes new programs take.
        var appetite = Int.max
    }

    let state = Monitor(State())

    init(serving ports: Set<UInt32> = []) { state.update { $0.served = ports } }

    func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (any HostStream, UInt32) -> Void
    ) throws(SystemError) {
        state.update { $0.handler = handler }
    }

    func stop() { state.update { $0.handler = nil } }

    func connect(port: UInt32) -> (any HostStream)? {
        state.update { state in
            guard state.served.contains(port) else { return nil }
            let stream = TestStream()
            stream.state.update { $0.appetite = state.appetite }
            state.streams.append(stream)
            return stream
        }
    }

    /// A program wants a connection to a port of the guest.
    func want(port: UInt32) -> TestStream {
        let stream = TestStream()
        let handler = state.withLock { $0.handler }
        TestLoop.shared.async { handler?(stream, port) }
        return stream
    }

    var streams: [TestStream] { state.withLock { $0.streams } }
}

package import AgentProtocol
internal import Glibc
package import HostSystem

/// A connection to the agent: its stream, the state of its session, and bytes on their way in both directions. Nothing here blocks but
/// what takes a deadline.
package struct AgentConnection: ~Copyable {
    /// The result of reading from the stream.
    package enum Arrival: Equatable, Sendable {
        case bytes
        case none
        /// The agent sends no more.
        case end
    }

    /// The largest message and more, so that a read gets much at a time.
    private static let capacity = FrameHeader.size + AgentLimits.payload
    private static let inputStart = FrameHeader.size

    package let descriptor: FileDescriptor
    package private(set) var session = AgentSession()

    // Bytes that have arrived and are not consumed yet: `incoming[start..<end]`.
    private var incoming = [UInt8](repeating: 0, count: Self.capacity)
    private var start = 0
    private var end = 0

    /// Messages but DATA that wait to be sent, and how many of their bytes were.
    private var messages: [UInt8] = []
    private var messagesSent = 0
    /// One DATA message: a header's room, then up to the protocol's bound of data.
    private var input: [UInt8] = []
    private var inputEnd = 0
    private var inputSent = 0
    /// The agent takes no more bytes. What it has sent can still be read.
    package private(set) var isBroken = false

    package init(_ stream: consuming FileDescriptor) {
        descriptor = stream
    }

    // MARK: Receiving

    /// Reads what has come, as far as there is room.
    package mutating func receive() throws(AgentError) -> Arrival {
        makeRoom()
        guard end < incoming.count else { return .bytes }
        let descriptor = descriptor.rawValue
        let (start, capacity) = (end, incoming.count)
        let count = incoming.withUnsafeMutableBytes {
            recv(descriptor, $0.baseAddress! + start, capacity - start, Int32(MSG_DONTWAIT))
        }
        if count > 0 {
            end += count
            return .bytes
        }
        if count == 0 { return .end }
        switch errno {
        case EAGAIN, EINTR: return .none
        // The machine's process is gone: the same as an end.
        case ECONNRESET, EPIPE: return .end
        default: throw .system(.last("recv"))
        }
    }

    private mutating func makeRoom() {
        if start == end {
            start = 0
            end = 0
        } else if end == incoming.count, start > 0 {
            let (from, count) = (start, end - start)
            _ = incoming.withUnsafeMutableBytes { memmove($0.baseAddress!, $0.baseAddress! + from, count) }
            end = count
            start = 0
        }
    }

    /// The next event in the bytes that have arrived; nil when more have to come first.
    package mutating func next() throws(AgentError) -> AgentSession.Event? {
        while true {
            do throws(SessionFault) {
                let (consumed, event) = try session.next(incoming, in: start..<end)
                start += consumed
                if let event { return event }
                if consumed == 0 { return nil }
            } catch {
                if case .version(let version) = error { throw .version(version) }
                throw .brokenProtocol(error, session.progress)
            }
        }
    }

    /// Lets `body` see the bytes of the last `data` event. `takeData` consumes them.
    package func peekData<Result>(_ count: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        incoming.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<start + count])) }
    }

    /// Consumes bytes of the last `data` event.
    package mutating func takeData(_ count: Int) {
        start += count
        session.takeData(count)
    }

    /// Bytes that came behind the last message of a connection that is raw now. `consumeRaw` removes them.
    package func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        incoming.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
    }

    package var rawCount: Int { end - start }

    package mutating func consumeRaw(_ count: Int) { start += count }

    // MARK: Sending

    /// Queues a message that is not DATA. The caller bounds how many.
    package mutating func send(_ message: ClientMessage) {
        guard !isBroken, let frame = message.frame else { return }
        frame.append(to: &messages)
    }

    /// Queues the request. After the greeting, once.
    package mutating func request(
        _ request: AgentRequest, _ exchange: AgentSession.Exchange
    ) throws(AgentError) {
        guard let frame = request.frame else { throw .tooLarge }
        frame.append(to: &messages)
        session.request(exchange)
    }

    /// Whether there is room for a piece of DATA, and credit.
    package var takesInput: Bool { !isBroken && inputEnd == 0 && session.credit > 0 }

    /// Lets `body` write a piece of DATA within the credit; it returns how many bytes it has written.
    package mutating func sendInput(_ body: (UnsafeMutableRawBufferPointer) -> Int) {
        precondition(takesInput, "there is room for input")
        if input.isEmpty { input = [UInt8](repeating: 0, count: Self.inputStart + AgentLimits.data) }
        let limit = min(AgentLimits.data, session.credit)
        let count = input.withUnsafeMutableBytes { bytes in
            body(UnsafeMutableRawBufferPointer(rebasing: bytes[Self.inputStart..<Self.inputStart + limit]))
        }
        guard count > 0 else { return }
        session.spend(count)
        var header: [UInt8] = []
        FrameHeader(.data, length: count).append(to: &header)
        input.replaceSubrange(0..<Self.inputStart, with: header)
        inputEnd = Self.inputStart + count
        inputSent = 0
    }

    /// Whether no piece of DATA waits to be sent, so that END may follow.
    package var isInputSent: Bool { inputEnd == 0 }
    /// Whether there is something to send.
    package var hasOutgoing: Bool { !isBroken && (inputEnd > 0 || !messages.isEmpty) }
    /// Whether messages other than DATA wait, because the agent does not read.
    package var hasWaitingMessages: Bool { !isBroken && !messages.isEmpty }

    /// Sends as much as the stream takes.
    package mutating func flush() throws(AgentError) {
        while hasOutgoing {
            // A DATA message that has begun goes first; other messages do not wait behind one that has not.
            let sendsInput = inputSent > 0 || messages.isEmpty
            let count =
                sendsInput
                ? try transmit(input, inputSent..<inputEnd) : try transmit(messages, messagesSent..<messages.count)
            guard let count else { return }
            if sendsInput { noteInput(count) } else { noteMessages(count) }
        }
    }

    /// - Returns: nil when the stream takes nothing now, or never again.
    mutating func transmit(_ bytes: [UInt8], _ range: Range<Int>) throws(AgentError) -> Int? {
        let count = bytes.withUnsafeBytes {
            Glibc.send(
                descriptor.rawValue, $0.baseAddress! + range.lowerBound, range.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
            )
        }
        if count >= 0 { return count }
        switch errno {
        case EAGAIN: return nil
        case EINTR: return 0
        case EPIPE, ECONNRESET:
            isBroken = true
            return nil
        default: throw .system(.last("send"))
        }
    }

    private mutating func noteInput(_ count: Int) {
        inputSent += count
        guard inputSent == inputEnd else { return }
        inputEnd = 0
        inputSent = 0
    }

    private mutating func noteMessages(_ count: Int) {
        messagesSent += count
        guard messagesSent == messages.count else { return }
        messages.removeAll(keepingCapacity: messages.capacity <= AgentLimits.data)
        messagesSent = 0
    }

    /// Ends the direction to the agent, of a connection that is raw now.
    package func endSending() { _ = shutdown(descriptor.rawValue, Int32(SHUT_WR)) }

    // MARK: Waiting

    /// Waits for the next event, and sends what waits.
    ///
    /// - Parameter deadline: in nanoseconds of `HostClock.monotonic`; nil waits without limit.
    /// - Returns: nil when the deadline has passed.
    package mutating func wait(by deadline: UInt64? = nil) throws(AgentError) -> AgentSession.Event? {
        while true {
            if let event = try next() { return event }
            try flush()
            let events = Int16(POLLIN) | (hasOutgoing ? Int16(POLLOUT) : 0)
            guard Waiting.wait(descriptor.rawValue, events, by: deadline) else { return nil }
            if try receive() == .end { throw .lost(session.progress) }
        }
    }
}

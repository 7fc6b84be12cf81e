/// What goes to the client, and how a session ends.
extension Session {
    private static let lingering: UInt64 = 1_000
    /// Chunks of output in one turn: the other sessions get theirs between.
    private static let turn = 16
    /// Bytes of a stream in one message: with its header, one packet of vsock.
    static let chunk = AgentLimits.data - FrameHeader.size
    /// Bytes of messages that others may join. Each send wakes threads of both kernels.
    private static let smallOutbox = 256

    /// Puts a message into the outbox.
    func send(_ message: AgentMessage) {
        var bytes: [UInt8] = []
        message.frame.append(to: &bytes)
        if !outbox.append(bytes) { close() }
    }

    /// Puts a chunk of a stream into the outbox: `fill` writes up to so many bytes to a place and returns how many, or a negative number for
    /// none.
    func sendData(stream: UInt8, _ fill: (UnsafeMutableRawPointer, Int) -> Int) -> Int {
        let room = Self.chunk + FrameHeader.size
        guard outbox.reserve(room), let base = outbox.place.baseAddress else { return -Int(Errno.noMemory.number) }
        let count = fill(base + FrameHeader.size, Self.chunk)
        guard count > 0 else { return count }
        for index in 0..<4 {
            base.storeBytes(of: UInt8(count >> (8 * index) & 0xff), toByteOffset: index, as: UInt8.self)
        }
        base.storeBytes(of: FrameType.data.rawValue, toByteOffset: 4, as: UInt8.self)
        base.storeBytes(of: stream, toByteOffset: 5, as: UInt8.self)
        base.storeBytes(of: 0, toByteOffset: 6, as: UInt8.self)
        base.storeBytes(of: 0, toByteOffset: 7, as: UInt8.self)
        outbox.filled(FrameHeader.size + count)
        return count
    }

    /// Lets the client send more of stream 0.
    func grant(_ bytes: Int) {
        credit += bytes
        send(.credit(UInt32(bytes)))
    }

    /// Sends the outbox, and what the work has for it, as far as the client takes it; then chooses the events to wait
    /// for.
    func drive() {
        var rounds = 0
        while connection != nil {
            if phase == .working, outbox.count < Self.smallOutbox, rounds < Self.turn, let work, work.produce() {
                rounds += 1
                continue
            }
            if !outbox.isEmpty, !isHeld {
                let bytes = outbox.bytes
                let count = system(
                    SystemCall.sendto, Int(number), Int(bitPattern: bytes.baseAddress), bytes.count,
                    // MSG_NOSIGNAL
                    0x4000)
                if count == -Int(Errno.again.number) { break }
                if count == -Int(Errno.interrupted.number) { continue }
                guard count > 0 else { return close() }
                outbox.take(count)
                continue
            }
            if phase == .closing {
                phase = .lingering
                deadline = Clock.milliseconds + Self.lingering
                // SHUT_WR
                _ = system(SystemCall.shutdown, Int(number), 1)
            }
            break
        }
        guard connection != nil else { return }
        // The deadline may have been that of an earlier hold, which is over.
        if isHeld { deadline = min(deadline, sendsAt) }
        let isFree = isHeld || outbox.isEmpty && rounds < Self.turn
        work?.chooseEvents(canProduce: outbox.isEmpty || isHeld)
        if work?.isRaw != true { watchConnection(Poller.readable | (isFree ? 0 : Poller.writable)) }
    }

    /// Keeps the messages in the outbox for so many milliseconds, so that the last one may go with them.
    func hold(milliseconds: UInt64) {
        sendsAt = Clock.milliseconds + milliseconds
        deadline = min(deadline, sendsAt)
    }

    private var isHeld: Bool {
        phase == .working && sendsAt != 0 && outbox.count < Self.smallOutbox && sendsAt > Clock.milliseconds
    }

    func watchConnection(_ new: UInt32) {
        agent.poller.set(number, from: events, to: new, key: key(.connection))
        events = new
    }

    /// The last message is in the outbox.
    func finish() {
        phase = .closing
        work?.abandon()
        work = nil
        inbox.release()
        restOfData = 0
    }

    /// Ends the session with ERROR.
    func fail(_ failure: AgentFailure) {
        guard phase != .closing, phase != .lingering else { return }
        send(.error(failure))
        finish()
        drive()
    }

    /// Lets go of everything at once.
    func close() {
        guard connection != nil else { return }
        watchConnection(0)
        work?.abandon()
        work = nil
        connection = nil
        inbox.release()
        outbox.release()
        agent.remove(self)
    }

    /// The agent ends.
    func abandon() { close() }
}

/// One connection: HELLO, a request, its work, and the end.
final class Session {
    enum Phase {
        case hello, request, working
        /// The last message is in the outbox.
        case closing
        /// The last message is sent; what still comes is dropped until the client closes.
        case lingering
    }

    let agent: Agent
    let place: Int
    let generation: UInt32
    var connection: Descriptor?
    /// The connection's descriptor, for system calls while `connection` is there.
    let number: Int32
    var events: UInt32 = 0
    var phase = Phase.hello
    var work: Work?
    /// In milliseconds of the monotonic clock; the largest number means none.
    var deadline = UInt64.max

    /// Until then the outbox waits for the message that ends the session, in milliseconds of the monotonic clock; 0 does not wait.
    var sendsAt: UInt64 = 0

    var inbox = RawBuffer()
    var outbox = RawBuffer()
    /// Bytes of the DATA frame that is being received which have not come yet.
    var restOfData = 0
    /// Bytes from which the connection counts as readable (SO_RCVLOWAT).
    private var least = 1
    /// Bytes of stream 0 that the client may still send.
    var credit = 0
    var inputHasEnded = false

    /// How long a session may wait for HELLO and its request, and for the client's close.
    private static let patience: UInt64 = 30_000

    init(_ agent: Agent, _ number: Int32, place: Int, generation: UInt32) {
        self.agent = agent
        self.number = number
        self.place = place
        self.generation = generation
    }

    func key(_ role: EventKey.Role) -> EventKey { EventKey(role, place: place, generation: generation) }

    func begin(isBusy: Bool) {
        deadline = Clock.milliseconds + Self.patience
        if isBusy {
            fail(AgentFailure(.busy, text: [UInt8]("the agent has 256 sessions; end others first")))
        } else {
            drive()
        }
    }

    // MARK: Events

    func handle(_ role: EventKey.Role, _ events: UInt32) {
        if role == .connection {
            if work?.isRaw == true {
                work?.handle(role, events)
            } else if events & ~Poller.writable != 0 {
                receive()
            }
        } else {
            work?.handle(role, events)
        }
        drive()
    }

    func runDeadline() {
        deadline = UInt64.max
        switch phase {
        case .working:
            work?.runDeadline()
            drive()
        default: close()
        }
    }

    // MARK: From the client

    private func receive() {
        receiveTwice()
        if connection != nil { setLeast(phase == .working ? max(restOfData, 1) : 1) }
    }

    /// Waits for so many bytes before the connection counts as readable: the rest of a DATA frame comes in packets of 4 KB, each of which would
    /// wake the agent. The end of the connection does in any case.
    private func setLeast(_ count: Int) {
        guard count != least else { return }
        least = count
        var value = Int32(truncatingIfNeeded: count)
        _ = withUnsafeMutablePointer(to: &value) {
            // SOL_SOCKET, SO_RCVLOWAT
            system(SystemCall.setsockopt, Int(number), 1, 18, Int(bitPattern: $0), 4)
        }
    }

    private func receiveTwice() {
        // Two rounds at most: an event comes again while there is more.
        for _ in 0..<2 {
            guard connection != nil, work?.isRaw != true else { return }
            let needed = AgentLimits.data + FrameHeader.size
            let hasRoom = !inbox.isEmpty && inbox.place.count >= 4096 || inbox.reserve(needed)
            guard hasRoom else { return fail(.outOfMemory) }
            let place = inbox.place
            let size = min(place.count, needed)
            let count = system(SystemCall.read, Int(number), Int(bitPattern: place.baseAddress), size)
            if count == -Int(Errno.again.number) || count == -Int(Errno.interrupted.number) {
                if inbox.isEmpty { inbox.release() }
                return
            }
            guard count > 0 else { return close() }
            if phase == .closing || phase == .lingering { continue }
            inbox.filled(count)
            do throws(AgentFailure) {
                try consume()
            } catch {
                return fail(error)
            }
            if count < size { return }
        }
    }
}

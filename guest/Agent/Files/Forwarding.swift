import Support

/// FORWARD: carries bytes between the connection and a socket inside the guest.
final class Forwarding: Work {
    private enum Phase {
        case connecting
        /// DONE is in the outbox, or raw bytes flow.
        case carrying
    }

    private var phase = Phase.connecting
    private var peer: Descriptor?
    private var watched: UInt32 = 0
    private var toPeer = RawBuffer()
    private var toClient = RawBuffer()
    private var clientHasEnded = false
    private var peerHasEnded = false
    private var peerWasTold = false
    private var clientWasTold = false
    private let request: ForwardRequest

    private static let size = 65_536

    init(_ session: Session, _ request: ForwardRequest) throws(AgentFailure) {
        self.request = request
        do throws(Errno) {
            peer = try Self.connect(request, session.agent)
        } catch {
            throw Self.failure(request, error)
        }
        super.init(session)
    }

    override var isRaw: Bool { phase == .carrying }

    private static func failure(_ request: ForwardRequest, _ error: Errno) -> AgentFailure {
        switch request {
        case .unix(let path): return FileFacts.failure(path, error)
        case .tcp(let address, let port):
            var subject = address ?? [UInt8]("localhost")
            subject.append(UInt8(ascii: ":"))
            subject.add(number: UInt64(port))
            return AgentFailure(.file, subject, error)
        case .arrived: return AgentFailure(.notFound, text: [UInt8]("the connection does not wait any more"))
        }
    }

    /// A socket that is connected or on its way.
    private static func connect(_ request: ForwardRequest, _ agent: Agent) throws(Errno) -> Descriptor {
        switch request {
        case .unix(let path):
            guard let address = UnixAddress(path) else { throw Errno.nameTooLong }
            let socket = try socket(1)
            try begin(address.withPointer { system(SystemCall.connect, Int(socket.number), $0, $1) })
            return socket
        case .tcp(let text, let port):
            let text = text ?? [UInt8]("127.0.0.1")
            // sockaddr_in: u16 family, u16 port, the address; sockaddr_in6: also u32 flow before and u32 scope behind.
            var address: [UInt8] = []
            if let bytes = AddressText.parseV4(text) {
                address = [2, 0, UInt8(port >> 8), UInt8(port & 0xff)] + bytes + [0, 0, 0, 0, 0, 0, 0, 0]
            } else if let bytes = AddressText.parseV6(text) {
                address = [10, 0, UInt8(port >> 8), UInt8(port & 0xff), 0, 0, 0, 0] + bytes + [0, 0, 0, 0]
            } else {
                throw Errno.invalid
            }
            let socket = try socket(Int(address[0]))
            try begin(
                address.withUnsafeBytes {
                    system(SystemCall.connect, Int(socket.number), Int(bitPattern: $0.baseAddress), address.count)
                })
            return socket
        case .arrived(let number):
            guard let connection = agent.takeConnection(number) else { throw Errno.noEntry }
            return connection
        }
    }

    private static func socket(_ family: Int) throws(Errno) -> Descriptor {
        try Descriptor(system(SystemCall.socket, family, 1 | OpenFlags.nonblocking | OpenFlags.closeOnExec))
    }

    private static func begin(_ result: Int) throws(Errno) {
        if result == -Int(Errno.inProgress.number) { return }
        try checked(result)
    }

    // MARK: Events

    override func handle(_ role: EventKey.Role, _ events: UInt32) {
        if phase == .connecting {
            finishConnecting()
        } else if role == .peer || role == .connection {
            carry()
        }
    }

    private func finishConnecting() {
        guard let number = peerNumber else { return }
        var error: Int32 = 0
        var length: UInt32 = 4
        _ = withUnsafeMutablePointer(to: &error) { error in
            withUnsafeMutablePointer(to: &length) { length in
                system(
                    // SOL_SOCKET, SO_ERROR
                    SystemCall.getsockopt, Int(number), 1, 4, Int(bitPattern: error),
                    Int(bitPattern: length))
            }
        }
        if error != 0 { return session.fail(Self.failure(request, Errno(error))) }
        guard session.inbox.isEmpty else { return session.fail(.wrongState) }
        session.send(.done(files: 0, bytes: 0))
        phase = .carrying
    }

    private var peerNumber: Int32? { peer.number }

    private func carry() {
        guard let number = peerNumber, session.outbox.isEmpty else { return }
        // Each direction moves at most four pieces in a turn.
        for _ in 0..<4 {
            let toPeerMoved = Self.move(session.number, number, &toPeer, &clientHasEnded)
            let toClientMoved = Self.move(number, session.number, &toClient, &peerHasEnded)
            if toPeerMoved == .failed || toClientMoved == .failed { return session.close() }
            if toPeerMoved == .nothing, toClientMoved == .nothing { break }
        }
        if clientHasEnded, toPeer.isEmpty, !peerWasTold {
            peerWasTold = true
            _ = system(SystemCall.shutdown, Int(number), 1)
        }
        if peerHasEnded, toClient.isEmpty, !clientWasTold {
            clientWasTold = true
            _ = system(SystemCall.shutdown, Int(session.number), 1)
        }
        if peerWasTold, clientWasTold { session.close() }
    }

    private enum Moved {
        case something, nothing, failed
    }

    private static func move(
        _ source: Int32, _ target: Int32, _ buffer: inout RawBuffer, _ hasEnded: inout Bool
    ) -> Moved {
        var moved = Moved.nothing
        if buffer.isEmpty, !hasEnded {
            guard buffer.reserve(size) else { return .failed }
            let place = buffer.place
            let count = system(SystemCall.read, Int(source), Int(bitPattern: place.baseAddress), min(place.count, size))
            if count == 0 { hasEnded = true }
            if count > 0 { buffer.filled(count) }
            if count < 0, count != -Int(Errno.again.number), count != -Int(Errno.interrupted.number) { return .failed }
        }
        if !buffer.isEmpty {
            let bytes = buffer.bytes
            let count = system(
                SystemCall.sendto, Int(target), Int(bitPattern: bytes.baseAddress), bytes.count, 0x4000)
            if count > 0 {
                buffer.take(count)
                moved = .something
            } else if count != -Int(Errno.again.number), count != -Int(Errno.interrupted.number) {
                return .failed
            }
        }
        return moved
    }

    override func chooseEvents(canProduce: Bool) {
        guard let number = peerNumber else { return }
        if phase == .connecting { return watchPeer(number, Poller.writable) }
        // DONE goes first.
        guard canProduce else {
            watchPeer(number, 0)
            return session.watchConnection(Poller.writable)
        }
        watchPeer(number, events(reads: toClient.isEmpty && !peerHasEnded, writes: !toPeer.isEmpty))
        session.watchConnection(events(reads: toPeer.isEmpty && !clientHasEnded, writes: !toClient.isEmpty))
    }

    private func events(reads: Bool, writes: Bool) -> UInt32 {
        (reads ? Poller.readable : 0) | (writes ? Poller.writable : 0)
    }

    private func watchPeer(_ number: Int32, _ new: UInt32) {
        session.agent.poller.set(number, from: watched, to: new, key: session.key(.peer))
        watched = new
    }

    override func abandon() {
        if let number = peerNumber { watchPeer(number, 0) }
        peer = nil
        toPeer.release()
        toClient.release()
    }
}

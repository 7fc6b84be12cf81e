import Support

/// LISTEN: a socket of Unix for programs of the guest. A connection waits here until the client takes it over with FORWARD.
///
/// The socket goes with the session. A client that takes nothing over holds at most `mostWaiting` connections, each for `patience`.
final class Listening: Work {
    private var listener: Descriptor?
    private var watched: UInt32 = 0
    private let path: [UInt8]
    /// Connections of this object, by the numbers that the client knows them by.
    private var waiting: [(number: UInt32, descriptor: Int32)] = []

    private static let mostWaiting = 16
    /// Milliseconds.
    private static let patience: UInt64 = 30_000

    init(_ session: Session, _ request: ListenRequest) throws(AgentFailure) {
        let account = try Account.find(request.user)
        path = request.path
        do throws(Errno) {
            listener = try Self.listen(request.path, account)
        } catch {
            throw FileFacts.failure(request.path, error)
        }
        super.init(session)
        session.send(.done(files: 0, bytes: 0))
    }

    private static func listen(_ path: [UInt8], _ account: Account) throws(Errno) -> Descriptor {
        guard let address = UnixAddress(path) else { throw Errno.nameTooLong }
        let socket = try Descriptor(
            system(SystemCall.socket, 1, 1 | OpenFlags.nonblocking | OpenFlags.closeOnExec))
        // Root's alone until it has its owner.
        let mask = system(SystemCall.umask, 0o177)
        let result = address.withPointer { system(SystemCall.bind, Int(socket.number), $0, $1) }
        _ = system(SystemCall.umask, mask)
        try checked(result)
        do throws(Errno) {
            try checked(
                path.withCString {
                    system(
                        // AT_SYMLINK_NOFOLLOW
                        SystemCall.fchownat, OpenFlags.here, Int($0), Int(account.user), Int(account.group), 0x100)
                })
            try checked(system(SystemCall.listen, Int(socket.number), mostWaiting))
        } catch {
            remove(path)
            throw error
        }
        return socket
    }

    private static func remove(_ path: [UInt8]) {
        _ = path.withCString { system(SystemCall.unlinkat, OpenFlags.here, Int($0), 0) }
    }

    // MARK: Connections

    private var number: Int32? { listener.number }

    override func handle(_ role: EventKey.Role, _ events: UInt32) {
        guard role == .peer, let number else { return }
        // Some at once, so that a flood of connections does not hold up the other sessions.
        for _ in 0..<Self.mostWaiting {
            let result = system(
                SystemCall.accept4, Int(number), 0, 0, OpenFlags.nonblocking | OpenFlags.closeOnExec)
            guard result >= 0 else { return }
            guard waiting.count < Self.mostWaiting else {
                _ = system(SystemCall.close, result)
                continue
            }
            let name = session.agent.nextConnection()
            waiting.append((name, Int32(result)))
            session.deadline = Clock.milliseconds + Self.patience
            session.send(.arrived(name))
        }
    }

    override func takeConnection(_ name: UInt32) -> Descriptor? {
        guard let index = waiting.firstIndex(where: { $0.number == name }) else { return nil }
        let descriptor = waiting.remove(at: index).descriptor
        if waiting.isEmpty { session.deadline = UInt64.max }
        return Descriptor(owning: descriptor)
    }

    /// The client has not come for the latest connection, nor for those before it.
    override func runDeadline() { closeWaiting() }

    private func closeWaiting() {
        for connection in waiting { _ = system(SystemCall.close, Int(connection.descriptor)) }
        waiting = []
    }

    override func chooseEvents(canProduce: Bool) {
        // A client that does not read hears of no more connections.
        watch(canProduce ? Poller.readable : 0)
    }

    private func watch(_ new: UInt32) {
        guard let number else { return }
        session.agent.poller.set(number, from: watched, to: new, key: session.key(.peer))
        watched = new
    }

    override func abandon() {
        guard listener != nil else { return }
        watch(0)
        listener = nil
        Self.remove(path)
        closeWaiting()
    }
}

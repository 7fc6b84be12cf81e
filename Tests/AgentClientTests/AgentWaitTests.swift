import AgentClient
import AgentProtocol
import CSockets
import ScriptedAgent
import Glibc
import GuestToolchain
import HostSystem
import Synchronization
import Testing

/// Fails a number of times before it connects.
private final class ReluctantConnector: AgentConnector {
    let failures: Int
    let attempts = Atomic(0)

    init(failures: Int) {
        self.failures = failures
    }

    func connect(greeting: [UInt8], by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor {
        if attempts.add(1, ordering: .relaxed).oldValue < failures { throw .notYet }
        return try PairConnector { peer in
            guard case .ping = peer.greet() else { return }
            peer.send(.done(files: 0, bytes: 0))
        }.connect(greeting: greeting, by: deadline)
    }
}

@Suite("Waiting for a guest's agent")
struct AgentWaitTests {
    @Test("A client tries again until the agent listens")
    func retries() throws {
        let connector = ReluctantConnector(failures: 5)
        try AgentClient(connector, wait: AgentWait(limit: 60)).ping()
        #expect(connector.attempts.load(ordering: .relaxed) == 6)
    }

    @Test("A limit of 0 is one attempt")
    func oneAttempt() {
        let connector = ReluctantConnector(failures: 5)
        #expect(throws: AgentError.notListening(seconds: 0)) {
            try AgentClient(connector, wait: AgentWait(limit: 0)).ping()
        }
        #expect(connector.attempts.load(ordering: .relaxed) == 1)
    }

    @Test("The wait ends with the machine")
    func machineEnds() {
        let connector = ReluctantConnector(failures: .max)
        let wait = AgentWait(limit: 86_400) { connector.attempts.load(ordering: .relaxed) >= 3 }
        #expect(throws: AgentError.machineEnded) { try AgentClient(connector, wait: wait).ping() }
    }

    @Test("A socket that is not there, or not a machine's, is an error at once; its path may be long")
    func sockets() throws {
        let directory = TemporaryDirectory()
        let absent = AgentClient(SocketConnector(path: directory.path("absent")), wait: AgentWait(limit: 60))
        let found = "no machine listens at \(directory.path("absent")) (No such file or directory)"
        #expect(throws: AgentError.noMachine(found)) { try absent.ping() }

        let name = String(repeating: "d", count: 100)
        guard mkdir(directory.path(name), 0o700) == 0 else { throw SystemError.last("mkdir") }
        let short = directory.path("s")
        let server = try AgentServer(short) { peer in
            guard case .ping = peer.greet() else { return }
            peer.send(.done(files: 0, bytes: 0))
        }
        let long = directory.path("\(name)/s")
        guard link(short, long) == 0 else { throw SystemError.last("link") }
        try AgentClient(SocketConnector(path: long), wait: AgentWait(limit: 60)).ping()
        server.stop()
    }

    @Test("HELLO goes with the request for a connection, before the answer to that")
    func earlyGreeting() throws {
        let directory = TemporaryDirectory()
        let path = directory.path("s")
        let listener = FileDescriptor(owning: aerie_stream_listen(path))
        _ = fcntl(listener.rawValue, F_SETFL, 0)
        let request = Array("CONNECT 1023\n".utf8) + [4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
        let socket = listener.rawValue
        startThread {
            let descriptor = aerie_stream_accept(socket)
            _ = fcntl(descriptor, F_SETFL, 0)
            var bytes = [UInt8](repeating: 0, count: request.count)
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_WAITALL))
            let peer = AgentPeer(owning: descriptor)
            guard count == request.count, bytes == request else { return }
            peer.send(raw: Array("OK 4711\n".utf8))
            peer.send(.hello(version: AgentLimits.version, bootID: [UInt8](repeating: 7, count: 16)))
            guard case .request(.ping) = peer.next() else { return }
            peer.send(.done(files: 0, bytes: 0))
        }
        try AgentClient(SocketConnector(path: path), wait: AgentWait(limit: 0)).ping()
    }

    @Test("Answers of one message come back, and an absent file is no error")
    func answers() throws {
        let status = FileStatus(kind: .directory, mode: 0o755, size: 0, modified: 5, owner: 1, group: 2)
        let connector = PairConnector { peer in
            switch peer.greet() {
            case .status(let request) where request.path == Array("/srv".utf8): peer.send(.status(status))
            case .status: peer.send(.error(AgentFailure(.notFound, errno: 2, text: [])))
            default: break
            }
        }
        let client = AgentClient(connector, wait: AgentWait(limit: 0))
        #expect(try client.status(of: Array("/srv".utf8), followsLinks: true) == status)
        #expect(try client.status(of: Array("/absent".utf8), followsLinks: true) == nil)
        #expect(throws: AgentError.lost(.sent)) { try client.powerOff() }
    }

    @Test("An answer that does not come in time is an error")
    func timeout() throws {
        let connector = PairConnector { peer in
            _ = peer.greet()
            _ = peer.next()
        }
        var client = AgentClient(connector, wait: AgentWait(limit: 60))
        client.answerLimit = 0
        #expect(throws: AgentError.noAnswer(seconds: 0)) { _ = try client.information() }
    }
}

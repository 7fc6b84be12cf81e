import AgentClient
import AgentProtocol
import Testing

/// The client's side of a session against agents that say what they must not.
@Suite("A session with a guest's agent")
struct AgentSessionTests {
    private static let hello = AgentMessage.hello(version: 1, bootID: [UInt8](repeating: 3, count: 16))

    /// Each message that an agent may send, with a stream where it has one.
    private static let everything: [(name: String, message: AgentMessage)] = [
        ("hello", hello),
        ("started", .started(processID: 42)),
        ("data1", .data(stream: 1, [1, 2, 3])),
        ("data2", .data(stream: 2, [4])),
        ("end1", .end(stream: 1)),
        ("end2", .end(stream: 2)),
        ("credit", .credit(100)),
        ("exit", .exit(.exited(3))),
        ("done", .done(files: 1, bytes: 2)),
        ("status", .status(FileStatus(kind: .file, mode: 0o644, size: 5, modified: 0, owner: 0, group: 0))),
        ("arrived", .arrived(3)),
        ("error", .error(AgentFailure(.file, errno: 2, text: Array("x".utf8)))),
    ]

    private static func bytes(_ messages: [AgentMessage]) -> [UInt8] {
        var bytes: [UInt8] = []
        for message in messages { message.frame.append(to: &bytes) }
        return bytes
    }

    /// Feeds bytes, and takes data as it comes.
    private static func feed(
        _ session: inout AgentSession, _ bytes: [UInt8]
    ) throws(SessionFault) -> (events: [AgentSession.Event], rest: Int) {
        var events: [AgentSession.Event] = []
        var start = 0
        while true {
            let (consumed, event) = try session.next(bytes, in: start..<bytes.count)
            start += consumed
            if let event { events.append(event) }
            if case .data(_, let count) = event {
                session.takeData(count)
                start += count
            } else if consumed == 0 {
                return (events, bytes.count - start)
            }
        }
    }

    /// A session in a state that messages lead to.
    private static func session(
        _ exchange: AgentSession.Exchange?, after messages: [AgentMessage] = []
    ) throws -> AgentSession {
        var session = AgentSession()
        guard let exchange else { return session }
        _ = try feed(&session, bytes([hello]))
        session.request(exchange)
        _ = try feed(&session, bytes(messages))
        return session
    }

    private static let command = AgentSession.Exchange.command(hasTerminal: false, hasInput: true)

    @Test("In each state exactly the protocol's messages are taken, and each other one ends the session")
    func everyMessageInEveryState() throws {
        let started = AgentMessage.started(processID: 1)
        let states: [(AgentSession.Exchange?, [AgentMessage], Set<String>)] = [
            (nil, [], ["hello", "error"]),
            (Self.command, [], ["started", "error"]),
            (Self.command, [started], ["data1", "data2", "end1", "end2", "credit", "exit", "error"]),
            (Self.command, [started, .end(stream: 1)], ["data2", "end2", "credit", "exit", "error"]),
            (.command(hasTerminal: true, hasInput: true), [started], ["data1", "end1", "credit", "exit", "error"]),
            (
                .command(hasTerminal: false, hasInput: false), [started],
                ["data1", "data2", "end1", "end2", "exit", "error"]
            ),
            (Self.command, [started, .exit(.exited(0))], []),
            (Self.command, [.error(AgentFailure(.busy, text: []))], []),
            (.put, [], ["credit", "done", "error"]),
            (.put, [.done(files: 0, bytes: 0)], []),
            (.get, [], ["data1", "end1", "error"]),
            (.get, [.end(stream: 1)], ["done", "error"]),
            (.status, [], ["status", "error"]),
            (.information, [], ["error"]),
            (.action, [], ["done", "error"]),
            (.forward, [], ["done", "error"]),
            (.listen, [], ["done", "error"]),
            (.listen, [.done(files: 0, bytes: 0)], ["arrived", "error"]),
        ]
        for (exchange, messages, allowed) in states {
            for (name, message) in Self.everything {
                var session = try Self.session(exchange, after: messages)
                let phase = session.phase
                let bytes = Self.bytes([message])
                if allowed.contains(name) {
                    let (events, rest) = try Self.feed(&session, bytes)
                    #expect(rest == 0 && events.count == 1, "\(name) in \(phase) of \(String(describing: exchange))")
                } else {
                    #expect(throws: SessionFault.unexpected(message.frame.type), "\(name) in \(phase)") {
                        _ = try Self.feed(&session, bytes)
                    }
                }
            }
        }
    }

    @Test("Cut at any place, a message waits for its rest and is then the same")
    func truncations() throws {
        for (name, message) in Self.everything {
            let bytes = Self.bytes([message])
            for cut in 0..<bytes.count {
                var whole = try Self.before(name)
                var parts = whole
                let expected = try Self.feed(&whole, bytes).events
                let (first, rest) = try Self.feed(&parts, Array(bytes[..<cut]))
                let (second, left) = try Self.feed(&parts, Array(bytes[(cut - rest)...]))
                #expect(left == 0)
                #expect(Self.joined(first + second) == Self.joined(expected), "\(name) cut at \(cut)")
                #expect(parts.phase == whole.phase)
            }
        }
    }

    /// A session that takes the message of this name.
    private static func before(_ name: String) throws -> AgentSession {
        switch name {
        case "hello": return try session(nil)
        case "started": return try session(command)
        case "status": return try session(.status)
        case "arrived": return try session(.listen, after: [.done(files: 0, bytes: 0)])
        case "done", "error": return try session(.action)
        default: return try session(command, after: [.started(processID: 1)])
        }
    }

    /// Data comes in pieces of any size.
    private static func joined(_ events: [AgentSession.Event]) -> [AgentSession.Event] {
        var result: [AgentSession.Event] = []
        for event in events {
            if case .data(let stream, let count) = event, case .data(stream, let before) = result.last {
                result[result.count - 1] = .data(stream: stream, count: before + count)
            } else {
                result.append(event)
            }
        }
        return result
    }

    @Test("A message's length is refused by its header, before the payload comes")
    func lengths() throws {
        let cases: [(FrameType, UInt32, [AgentMessage])] = [
            (.started, 2000, []), (.exit, 100_000, [.started(processID: 1)]), (.data, 65_537, [.started(processID: 1)]),
            (.data, 0, [.started(processID: 1)]), (.error, 1033, []), (.credit, .max, [.started(processID: 1)]),
        ]
        for (type, length, messages) in cases {
            var session = try Self.session(Self.command, after: messages)
            var header: [UInt8] = []
            header.appendInteger(length)
            header += [type.rawValue, type == .data ? 1 : 0, 0, 0]
            #expect(throws: SessionFault.malformed(.length), "\(type) of \(length)") {
                _ = try Self.feed(&session, header)
            }
        }
    }

    @Test("More credit than the protocol's bound ends the session, whether at once or in many grants")
    func credit() throws {
        var session = try Self.session(Self.command, after: [.started(processID: 1)])
        _ = try Self.feed(&session, Self.bytes([.credit(AgentLimits.credit)]))
        #expect(session.credit == 262_144)
        session.spend(1)
        _ = try Self.feed(&session, Self.bytes([.credit(1)]))
        #expect(session.credit == 262_144)
        #expect(throws: SessionFault.tooMuchCredit) { _ = try Self.feed(&session, Self.bytes([.credit(1)])) }
        var other = try Self.session(Self.command, after: [.started(processID: 1)])
        var grant: [UInt8] = []
        FrameHeader(.credit, length: 4).append(to: &grant)
        grant.appendInteger(UInt32.max)
        #expect(throws: SessionFault.malformed(.invalidValue)) { _ = try Self.feed(&other, grant) }
    }

    @Test("An agent of another version is told apart from one that breaks the protocol")
    func version() throws {
        var session = AgentSession()
        let bytes = Self.bytes([.hello(version: 9, bootID: [UInt8](repeating: 0, count: 16))])
        #expect(throws: SessionFault.version(9)) { _ = try Self.feed(&session, bytes) }
    }

    @Test("The progress says whether the request was sent, and whether the command has started")
    func progress() throws {
        #expect(try Self.session(nil).progress == .notSent)
        #expect(try Self.session(Self.command).progress == .sent)
        #expect(try Self.session(Self.command, after: [.started(processID: 1)]).progress == .started)
    }
}

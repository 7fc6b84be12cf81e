import AgentProtocol
import AgentTestSupport
import Foundation
import TestSupport
import Testing

#if arch(x86_64)
    @Suite("Sessions of the guest's agent")
    struct SessionTests {
        let agent: AgentProcess

        init() throws { agent = try AgentProcess() }

        private func error(_ client: AgentClient) throws -> AgentFailure.Code? {
            while let message = try client.next() {
                if case .error(let failure) = message { return failure.code }
            }
            return nil
        }

        @Test("PING is answered, and the agent closes the connection")
        func ping() throws {
            let client = try agent.client()
            #expect(try client.answer(.ping) == .done(files: 0, bytes: 0))
            #expect(try client.next() == nil)
        }

        @Test("A client of another version gets the agent's version, and nothing more")
        func versions() throws {
            let client = try agent.client()
            try client.send(.hello(version: 2))
            guard case .hello(1, let bootID)? = try client.next() else {
                throw AgentClient.Failure(description: "no HELLO")
            }
            let digits = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
            #expect(bootID.map { String(format: "%02x", $0) }.joined() == digits.filter { $0.isHexDigit })
            #expect(try client.next() == nil)
        }

        @Test("Messages in a wrong state are refused")
        func wrongStates() throws {
            let wrong: [[ClientMessage]] = [
                [.request(.ping)], [.data([1])], [.hello(version: 1), .hello(version: 1)], [.hello(version: 1), .end],
                [.hello(version: 1), .signal(1)],
                [.hello(version: 1), .request(.execute(ExecuteRequest("sleep", "1000"))), .request(.ping)],
                [.hello(version: 1), .request(.put(PutRequest(path: Array("/tmp".utf8)))), .signal(1)],
            ]
            for messages in wrong {
                let client = try agent.client()
                for message in messages { try client.send(message) }
                #expect(try error(client) == .faultyMessage)
                #expect(try client.next() == nil)
            }
        }

        @Test("More data than was granted ends the session")
        func credit() throws {
            let client = try agent.client()
            var request = ExecuteRequest("sleep", "1000")
            request.hasInput = true
            try client.begin(.execute(request))
            while client.credit == 0 { _ = try client.next() }
            let piece = [UInt8](repeating: 0, count: AgentLimits.data)
            // The command's pipe takes as much as one grant, for which there is another; there cannot be a third.
            for _ in 0..<(4 * client.credit / piece.count) { try? client.send(.data(piece)) }
            #expect(try error(client) == .faultyMessage)
        }

        @Test("Garbage of every kind ends its own session only")
        func garbage() throws {
            var generator = SeededGenerator(seed: 13)
            for round in 0..<300 {
                let client = try agent.client()
                var bytes: [UInt8] = []
                if round % 3 > 0 { Frame(.hello, payload: [1, 0, 0, 0]).append(to: &bytes) }
                // A valid header before random bytes gets deeper than random bytes alone.
                if round % 3 > 1 {
                    let types: [FrameType] = [
                        .put, .get, .status, .configure, .forward, .listen, .execute, .signal, .window,
                    ]
                    let type = types[Int.random(in: 0..<types.count, using: &generator)]
                    FrameHeader(type, length: Int.random(in: 0..<200, using: &generator)).append(to: &bytes)
                    bytes += [1, 0, 0, 0, UInt8.random(in: 0..<20, using: &generator), 0, 0, 0]
                }
                bytes += (0..<400).map { _ in UInt8.random(in: 0...255, using: &generator) }
                try? client.send(raw: bytes)
                client.endSending()
                while (try? client.next()) != nil {}
            }
            #expect(try agent.answer(.ping) == .done(files: 0, bytes: 0))
            #expect(agent.isRunning)
        }

        @Test("Many commands run at once")
        func manyCommands() throws {
            var clients: [AgentClient] = []
            for index in 0..<64 {
                let client = try agent.client()
                try client.begin(.execute(ExecuteRequest("sh", "-c", "sleep 0.2; echo \(index)")))
                clients.append(client)
            }
            for (index, client) in clients.enumerated() {
                var text = ""
                while let message = try client.next() {
                    if case .data(stream: 1, let bytes) = message { text += String(decoding: bytes, as: UTF8.self) }
                }
                #expect(text == "\(index)\n")
            }
        }

        @Test("256 sessions are served at once, the next one is refused, and an end makes place")
        func manySessions() throws {
            var clients: [AgentClient] = []
            for _ in 0..<AgentLimits.sessions {
                let client = try agent.client()
                try client.send(.hello(version: 1))
                clients.append(client)
            }
            for client in clients { #expect(try client.next() != nil) }
            #expect(try error(agent.client()) == .busy)
            clients.removeLast()
            #expect(Patience.wait { (try? agent.answer(.ping)) == .done(files: 0, bytes: 0) })
            clients = []
            // An idle agent has given its memory back.
            #expect(Patience.wait { agent.residentMemory <= 1024 })
        }

        @Test("INFORM tells of the guest")
        func information() throws {
            guard case .information(let information)? = try agent.answer(.inform) else {
                throw AgentClient.Failure(description: "no INFORMATION")
            }
            var name = utsname()
            uname(&name)
            let release = withUnsafeBytes(of: &name.release) { Array($0.prefix { $0 != 0 }) }
            #expect(information.kernelRelease == release)
            #expect(information.memoryTotal >= information.memoryAvailable)
            #expect(information.memoryTotal == ProcessInfo.processInfo.physicalMemory)
            #expect(information.uptime > 0)
            #expect(!information.systemID.isEmpty)
        }

        @Test("FORWARD carries both directions of a socket, each with its end")
        func forward() throws {
            // Through the agent to the agent.
            let client = try agent.client()
            #expect(try client.answer(.forward(.unix(path: Array(agent.path.utf8)))) == .done(files: 0, bytes: 0))
            var bytes: [UInt8] = []
            Frame(.hello, payload: [1, 0, 0, 0]).append(to: &bytes)
            Frame(.ping).append(to: &bytes)
            try client.send(raw: bytes)
            let answer = client.readRaw(28 + 24)
            #expect(answer.count == 52)
            #expect(answer[4] == FrameType.hello.rawValue && answer[32] == FrameType.done.rawValue)
            #expect(client.readRaw(1).isEmpty)

            let listener = try LoopbackListener()
            let tcp = try agent.client()
            #expect(try tcp.answer(.forward(.tcp(address: nil, port: listener.port))) == .done(files: 0, bytes: 0))
            let data = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
            let connection = listener.accept()
            // The thread writes while this one reads; nothing else uses the client meanwhile.
            nonisolated(unsafe) let sender = tcp
            Thread {
                try? sender.send(raw: data)
                sender.endSending()
            }.start()
            #expect(listener.readAll(connection) == data)
            listener.writeAndClose(connection, Array("answer".utf8))
            #expect(tcp.readRaw(100) == Array("answer".utf8))
        }

        @Test("LISTEN hands each connection of a program over once, and its socket goes with the session")
        func listen() throws {
            let path = "\(agent.path).listen"
            let request = AgentRequest.listen(ListenRequest(path: Array(path.utf8)))
            var client: AgentClient? = try agent.client()
            #expect(try client?.answer(request) == .done(files: 0, bytes: 0))
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode == S_IFSOCK | 0o600)
            func arrival() throws -> UInt32? {
                guard case .arrived(let number)? = try client?.next() else { return nil }
                return number
            }
            let program = try AgentClient(path)
            let number = try #require(try arrival())
            let taken = try agent.client()
            #expect(try taken.answer(.forward(.arrived(number))) == .done(files: 0, bytes: 0))
            try program.send(raw: Array("ask".utf8))
            #expect(taken.readRaw(3) == Array("ask".utf8))
            try taken.send(raw: Array("answer".utf8))
            #expect(program.readRaw(6) == Array("answer".utf8))
            let gone = AgentFailure(.notFound, text: Array("the connection does not wait any more".utf8))
            #expect(try agent.answer(.forward(.arrived(number))) == .error(gone))

            // So many wait for the client, and the next one is closed.
            let programs = try (0..<17).map { _ in try AgentClient(path) }
            #expect(try (0..<16).map { _ in try arrival() } == (1...16).map { number + $0 })
            #expect(programs[16].readRaw(1).isEmpty)
            let used = AgentFailure(.file, errno: 98, text: Array("'\(path)': the address is in use".utf8))
            #expect(try agent.answer(request) == .error(used))
            client = nil
            #expect(programs[0].readRaw(1).isEmpty)
            #expect(Patience.wait { access(path, F_OK) != 0 })
            // What was taken over goes on.
            try program.send(raw: [7])
            #expect(taken.readRaw(1) == [7])
        }

        @Test("FORWARD to nobody says so")
        func forwardFailures() throws {
            #expect(
                try agent.answer(.forward(.unix(path: Array("/no/such".utf8))))
                    == .error(
                        AgentFailure(.notFound, errno: 2, text: Array("'/no/such': no such file or directory".utf8))))
            let port = try LoopbackListener().port
            #expect(
                try agent.answer(.forward(.tcp(address: Array("127.0.0.1".utf8), port: port)))
                    == .error(
                        AgentFailure(
                            .file, errno: 111, text: Array("'127.0.0.1:\(port)': the connection was refused".utf8))))
            #expect(
                try agent.answer(.forward(.tcp(address: Array("not.numeric".utf8), port: 1)))
                    == .error(AgentFailure(.file, errno: 22, text: Array("'not.numeric:1': invalid argument".utf8))))
        }
    }
#endif

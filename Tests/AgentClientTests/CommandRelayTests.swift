import AgentClient
import AgentProtocol
import ScriptedAgent
import Glibc
import HostSystem
import Synchronization
import TestSupport
import Testing

/// The relay of a command between pipes and a scripted agent. One at a time: signals are the process's.
@Suite("The relay of a command", .serialized)
struct CommandRelayTests {
    /// What a relay has written, and how it ended.
    private struct Relayed {
        let result: Result<CommandOutcome, AgentError>
        let output: [UInt8]
        let error: [UInt8]
    }

    /// Runs a relay with `input` as its standard input, whose outputs are read to their ends.
    private static func relay(
        input: [UInt8]? = nil, terminal: Bool = false, wait: AgentWait = AgentWait(limit: 0),
        _ script: @escaping @Sendable (AgentPeer) -> Void
    ) throws -> Relayed {
        let (inputPipe, outputPipe, errorPipe) = (TestPipe(), TestPipe(), TestPipe())
        var request = CommandRequest(arguments: ["cat", "-"])
        request.hasInput = input != nil
        request.hasTerminal = terminal
        var streams = RelayStreams()
        (streams.input, streams.output, streams.error) = (inputPipe.readEnd, outputPipe.writeEnd, errorPipe.writeEnd)
        let outputs = Monitor<[Int: [UInt8]]>([:])
        let bytes = input ?? []
        let (source, first, second) = (inputPipe.takeWriteEnd(), outputPipe.takeReadEnd(), errorPipe.takeReadEnd())
        startThread {
            writeAll(source, bytes)
            outputs.update { $0[0] = [] }
        }
        for (index, descriptor) in [(1, first), (2, second)] {
            startThread {
                let all = readAll(descriptor)
                outputs.update { $0[index] = all }
            }
        }
        let result: Result<CommandOutcome, AgentError>
        do throws(AgentError) {
            result = .success(
                try CommandRelay.run(request, through: PairConnector(script), wait: wait, streams: streams))
        } catch {
            result = .failure(error)
        }
        outputPipe.closeWrite()
        errorPipe.closeWrite()
        // The writer ends with EPIPE where nobody reads its bytes.
        inputPipe.closeRead()
        let all = outputs.wait { $0.count == 3 ? $0 : nil } ?? [:]
        return Relayed(result: result, output: all[1] ?? [], error: all[2] ?? [])
    }

    private static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, bytes.count - done) }
            guard count > 0 else { break }
            done += count
        }
        close(descriptor)
    }

    /// Reads to the end, and closes the descriptor.
    private static func readAll(_ descriptor: Int32) -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(descriptor, &chunk, chunk.count), count > 0 { result += chunk[..<count] }
        close(descriptor)
        return result
    }

    /// Sends the command's input back as its output, and ends with it.
    @Sendable private static func echo(_ peer: AgentPeer) {
        guard case .execute = peer.greet() else { return }
        peer.send(.started(processID: 7))
        peer.send(.credit(100_000))
        while let message = peer.next() {
            switch message {
            case .data(let bytes):
                peer.send(.data(stream: 1, bytes))
                peer.send(.credit(UInt32(bytes.count)))
            case .end: return peer.send(.exit(.exited(3)))
            default: return
            }
        }
    }

    @Test("Bytes pass both ways unchanged, ends of file follow them, and the exit code is the command's")
    func echo() throws {
        var generator = SeededGenerator(seed: 5)
        let input = (0..<(3 << 20)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let relayed = try Self.relay(input: input, Self.echo)
        #expect(relayed.result == .success(.ended(.exited(3))))
        #expect(relayed.output.count == input.count)
        let isSame = relayed.output == input
        #expect(isSame)
        #expect(relayed.error == [])
        let empty = try Self.relay(input: [], Self.echo)
        #expect(empty.result == .success(.ended(.exited(3))))
        #expect(empty.output == [])
    }

    @Test("The client never sends more than it was granted")
    func credit() throws {
        let total = Atomic(0)
        let relayed = try Self.relay(input: [UInt8](repeating: 1, count: 100_000)) { peer in
            guard case .execute = peer.greet() else { return }
            peer.send(.started(processID: 7))
            for grant: UInt32 in [1, 10, 70_000] {
                peer.send(.credit(grant))
                var got = 0
                while got < Int(grant), case .data(let bytes) = peer.next() { got += bytes.count }
                guard got == Int(grant) else { return }
                total.add(got, ordering: .relaxed)
            }
            peer.send(.exit(.signalled(9)))
        }
        #expect(relayed.result == .success(.ended(.signalled(9))))
        #expect(total.load(ordering: .relaxed) == 70_011)
        #expect(CommandEnd.signalled(9).code == 137)
    }

    @Test("Output and error output stay apart, and arrive before the exit")
    func streams() throws {
        let relayed = try Self.relay { peer in
            guard case .execute(let request) = peer.greet(), !request.hasInput else { return }
            peer.send(.started(processID: 7))
            for _ in 0..<100 {
                peer.send(.data(stream: 1, [UInt8](repeating: 1, count: 60_000)))
                peer.send(.data(stream: 2, [2]))
            }
            peer.send(.exit(.exited(0)))
        }
        #expect(relayed.result == .success(.ended(.exited(0))))
        #expect(relayed.output.count == 6_000_000)
        let isAllOnes = relayed.output.allSatisfy { $0 == 1 }
        #expect(isAllOnes)
        #expect(relayed.error == [UInt8](repeating: 2, count: 100))
    }

    @Test("A lost connection says how far the request had come")
    func lostConnections() throws {
        let scripts: [(AgentError, @Sendable (AgentPeer) -> Void)] = [
            (.notListening(seconds: 0), { _ in }),
            (.notListening(seconds: 0), { _ = $0.next() }),
            (.lost(.sent), { _ = $0.greet() }),
            (
                .lost(.started),
                { peer in
                    _ = peer.greet()
                    peer.send(.started(processID: 1))
                }
            ),
            (
                .lost(.started),
                { peer in
                    _ = peer.greet()
                    peer.send(.started(processID: 1))
                    peer.send(.data(stream: 1, [1]))
                    var half: [UInt8] = []
                    AgentMessage.data(stream: 1, [1, 2, 3]).frame.append(to: &half)
                    peer.send(raw: half.dropLast())
                }
            ),
        ]
        for (error, script) in scripts {
            #expect(try Self.relay(script).result == .failure(error))
        }
    }

    @Test("What the agent refuses has a shell's exit code, and its text cannot reprogram a terminal")
    func refusals() throws {
        let codes: [(AgentFailure.Code, Int32)] = [
            (.notFound, 127), (.notExecutable, 126), (.badUser, 126), (.badDirectory, 126), (.busy, 125),
            (.inside, 125),
        ]
        for (code, exit) in codes {
            let failure = AgentFailure(code, errno: 2, text: Array("a\u{1b}]0;b\u{07}c\nd\u{202e}e".utf8))
            let relayed = try Self.relay { peer in
                _ = peer.greet()
                peer.send(.error(failure))
            }
            guard case .failure(let error) = relayed.result else {
                Issue.record("\(code) is no failure")
                continue
            }
            #expect(error == .refused(failure))
            #expect(error.exitCode == exit)
            #expect(error.found == "a?]0;b?c?d?e")
        }
    }

    @Test("An agent that breaks the protocol ends its own session, with an error that says that the command has run")
    func hostile() throws {
        let floods: [(SessionFault, [AgentMessage])] = [
            (.unexpected(.started), [AgentMessage](repeating: .started(processID: 1), count: 5)),
            (.tooMuchCredit, [AgentMessage](repeating: .credit(262_144), count: 2)),
            (.unexpected(.end), [.end(stream: 1), .end(stream: 1)]),
            (.unexpected(.data), [.end(stream: 2), .data(stream: 2, [1])]),
            (.unexpected(.hello), [.hello(version: 1, bootID: [UInt8](repeating: 0, count: 16))]),
        ]
        for (fault, messages) in floods {
            let relayed = try Self.relay(input: []) { peer in
                _ = peer.greet()
                peer.send(.started(processID: 1))
                for message in messages { peer.send(message) }
                _ = peer.readRaw(1)
            }
            #expect(relayed.result == .failure(.brokenProtocol(fault, .started)))
        }
        let other = try Self.relay { peer in
            _ = peer.greet(version: 2)
        }
        #expect(other.result == .failure(.version(2)))
    }

    @Test("A reader of standard output that is gone ends the relay; a reader of standard error does not")
    func closedOutputs() throws {
        for (closes, expected) in [(1, CommandOutcome.outputClosed), (2, .ended(.exited(0)))] {
            let (output, error) = (TestPipe(), TestPipe())
            (closes == 1 ? output : error).closeRead()
            var streams = RelayStreams()
            (streams.output, streams.error) = (output.writeEnd, error.writeEnd)
            let connector = PairConnector { peer in
                guard case .execute = peer.greet() else { return }
                peer.send(.started(processID: 7))
                peer.send(.data(stream: UInt8(closes), [1, 2, 3]))
                peer.send(.data(stream: UInt8(3 - closes), [4]))
                peer.send(.exit(.exited(0)))
            }
            let outcome = try CommandRelay.run(
                CommandRequest(arguments: ["true"]), through: connector, wait: AgentWait(limit: 0), streams: streams)
            #expect(outcome == expected)
        }
    }

    @Test("A full disk is an error of the output")
    func fullOutput() throws {
        let full = try FileDescriptor(path: "/dev/full", flags: O_WRONLY)
        var streams = RelayStreams()
        streams.output = full.rawValue
        let connector = PairConnector { peer in
            _ = peer.greet()
            peer.send(.started(processID: 7))
            peer.send(.data(stream: 1, [1]))
            _ = peer.next()
        }
        #expect(throws: AgentError.output(SystemError("write", code: ENOSPC))) {
            try CommandRelay.run(
                CommandRequest(arguments: ["true"]), through: connector, wait: AgentWait(limit: 0), streams: streams)
        }
    }

    @Test("While nobody reads the output, input that the agent asks for still goes out")
    func blockedReader() throws {
        let (input, output) = (TestPipe(), TestPipe())
        var streams = RelayStreams()
        (streams.input, streams.output) = (input.readEnd, output.writeEnd)
        input.write([UInt8](repeating: 9, count: 50_000))
        input.closeWrite()
        let got = Monitor(0)
        let connector = PairConnector { peer in
            guard case .execute = peer.greet() else { return }
            peer.send(.started(processID: 7))
            peer.send(.credit(50_000))
            // More than a pipe and the connection's buffers hold.
            startThread { [descriptor = dup(peer.descriptor)] in
                let sender = AgentPeer(owning: descriptor)
                for _ in 0..<100 { sender.send(.data(stream: 1, [UInt8](repeating: 1, count: 60_000))) }
                sender.send(.exit(.exited(0)))
            }
            while case .data(let bytes) = peer.next() { got.update { $0 += bytes.count } }
        }
        let read = output.takeReadEnd()
        let all = Monitor<Int?>(nil)
        startThread {
            // The reader begins when the input has arrived.
            _ = got.wait { $0 == 50_000 ? () : nil }
            let count = Self.readAll(read).count
            all.update { $0 = count }
        }
        var request = CommandRequest(arguments: ["true"])
        request.hasInput = true
        let outcome = try CommandRelay.run(request, through: connector, wait: AgentWait(limit: 0), streams: streams)
        #expect(outcome == .ended(.exited(0)))
        output.closeWrite()
        #expect(all.wait { $0 } == 6_000_000)
    }

    @Test("Standard input may be /dev/null, a file, or a pipe whose writer is gone")
    func inputs() throws {
        let null = try FileDescriptor(path: "/dev/null", flags: O_RDONLY)
        let file = try FileDescriptor(path: #filePath, flags: O_RDONLY)
        let size = try file.duplicate().size()
        _ = lseek(file.rawValue, 0, SEEK_SET)
        let pipe = TestPipe()
        pipe.closeWrite()
        for (descriptor, expected) in [(null.rawValue, 0), (file.rawValue, Int(size)), (pipe.readEnd, 0)] {
            let output = TestPipe()
            var streams = RelayStreams()
            (streams.input, streams.output) = (descriptor, output.writeEnd)
            var request = CommandRequest(arguments: ["cat"])
            request.hasInput = true
            let outcome = try CommandRelay.run(
                request, through: PairConnector(Self.echo), wait: AgentWait(limit: 0), streams: streams)
            #expect(outcome == .ended(.exited(3)))
            output.closeWrite()
            #expect(output.readAll().count == expected)
        }
    }
}

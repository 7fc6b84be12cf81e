import AerieMachines
import AgentClient
import AgentProtocol
import Foundation
import GuestToolchain
import ScriptedAgent
import TestSupport
import Testing

/// The library's commands with the real agent on this host.
@Suite(
    "Commands of the library", .serialized,
    .enabled("needs root on an x86-64 host") { NativeAgent.obstacle == nil })
struct LibraryCommandTests {
    private let directory = TemporaryDirectory()
    private let native: NativeAgent
    private let agent: GuestAgent

    init() async throws {
        native = try await NativeAgent(directory.path("vm"), in: directory)
        agent = GuestAgent(SocketConnector(path: directory.path("vm")), name: "vm")
    }

    @Test("A result has the command's status and both outputs, up to the limit")
    func results() async throws {
        let result = try await agent.run(.shell("cat; echo \"$1\" >&2; exit 5", "err"), input: Array("in".utf8))
        #expect(result.status == .exited(5))
        #expect(result.text == "in")
        #expect(result.errorText == "err\n")
        #expect(!result.isTruncated)
        #expect(try await agent.run(["sh", "-c", "kill -9 $$"]).status == .signalled(9))
        var command: GuestCommand = ["sh", "-c", "echo $A $PWD"]
        command.environment = ["A": "1 2"]
        command.directory = "/tmp"
        #expect(try await agent.run(command).text == "1 2 /tmp\n")
        let long = try await agent.run(.shell("yes | head -c 3000000"), outputLimit: 10)
        #expect(long.output.count == 10)
        #expect(long.isTruncated)
        #expect(long.status == .exited(0))
        // A command that does not read its input.
        #expect(try await agent.run(["true"], input: [UInt8](repeating: 1, count: 1 << 20)).status == .exited(0))
    }

    @Test("What the guest refuses, and a command that cannot be sent, are errors of their kinds")
    func refusals() async throws {
        func category(_ command: GuestCommand) async -> AerieError.Category? {
            await #expect(throws: AerieError.self) { try await agent.run(command) }?.category
        }
        #expect(await category(["no-such-program"]) == .commandNotFound)
        #expect(await category(["/etc/passwd"]) == .refusedByGuest)
        var command: GuestCommand = ["true"]
        command.user = "no-such-user"
        #expect(await category(command) == .refusedByGuest)
        #expect(await category([]) == .usage)
        #expect(await category(["a\0b"]) == .usage)
        var limited: GuestCommand = ["true"]
        limited.timeLimit = .zero
        #expect(await category(limited) == .usage)
        let running = try await agent.exec(["true"])
        await #expect(throws: AerieError.self) { try await running.send("x") }
    }

    @Test("Twenty commands at once have each its own streams, and megabytes pass both ways unchanged")
    func streams() async throws {
        let agent = agent
        let texts = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for number in 0..<20 {
                group.addTask {
                    (number, try await agent.run(.shell("sleep 0.1; cat"), input: Array("\(number)".utf8)).text)
                }
            }
            return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
        }
        #expect(texts == Dictionary(uniqueKeysWithValues: (0..<20).map { ($0, "\($0)") }))

        let cat = try await agent.exec(["cat"], hasInput: true)
        let pieces = (0..<64).map { number in [UInt8](repeating: UInt8(number), count: 100_001) }
        async let sent: Void = {
            for piece in pieces { try await cat.send(piece) }
            cat.finishInput()
        }()
        let (bytes, isTruncated) = try await cat.output.collect(upTo: 10_000_000)
        try await sent
        #expect(bytes == pieces.flatMap { $0 })
        #expect(!isTruncated)
        #expect(try await cat.status == .exited(0))

        let lines = try await agent.exec(.shell("printf 'one\\r\\ntwo\\n\\nend'; echo err >&2"))
        var found: [String] = []
        for try await line in lines.output.lines { found.append(line) }
        #expect(found == ["one", "two", "", "end"])
        #expect(try await lines.error.collect(upTo: 10).bytes == Array("err\n".utf8))
    }

    @Test("A command is killed when its task is cancelled, when nobody refers to it, and by a signal")
    func ends() async throws {
        let agent = agent
        // The shell ignores everything that can be ignored.
        let script = GuestCommand.shell("trap '' HUP TERM INT; echo $$; while :; do sleep 0.05; done")
        func pid(_ command: RunningCommand) async throws -> Int32 {
            for try await line in command.output.lines { return try #require(Int32(line)) }
            return 0
        }
        let (pids, continuation) = AsyncStream<Int32>.makeStream()
        let task = Task {
            let command = try await agent.exec(script)
            continuation.yield(try await pid(command))
            return try await command.status
        }
        var process: Int32 = 0
        for await number in pids {
            process = number
            break
        }
        #expect(MachineProcesses.exists(process))
        task.cancel()
        let cancelled = await #expect(throws: AerieError.self) { try await task.value }
        #expect(cancelled?.category == .cancelled)
        #expect(await Patience.wait { !MachineProcesses.exists(process) })

        // `run` kills its command by itself.
        let file = directory.path("pid")
        let run = Task { try await agent.run(.shell("echo $$ >\"$1\"; exec sleep 1000", file)) }
        #expect(await Patience.wait { (try? String(contentsOfFile: file, encoding: .utf8))?.hasSuffix("\n") ?? false })
        let text = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)
        run.cancel()
        await #expect(throws: AerieError.self) { try await run.value }
        #expect(await Patience.wait { !MachineProcesses.exists(Int32(text) ?? 0) })

        let signalled = try await agent.exec(["sleep", "1000"])
        try signalled.signal(SIGTERM)
        #expect(try await signalled.status == .signalled(SIGTERM))
        #expect(throws: AerieError.self) { try signalled.signal(65) }
    }

    @Test("A command at its time limit is killed with its children, and what it wrote before is there")
    func timeLimit() async throws {
        var command = GuestCommand.shell("trap '' TERM HUP; echo begun; sleep 1000 & echo $!; wait")
        command.timeLimit = .milliseconds(300)
        let result = try await agent.run(command)
        #expect(result.status == .timedOut)
        #expect(result.status.code == 124)
        let lines = result.text.split(separator: "\n")
        #expect(lines.first == "begun")
        let child = try #require(lines.last.flatMap { Int32($0) })
        #expect(await Patience.wait { !MachineProcesses.exists(child) })
        // Nobody reads: the limit holds all the same.
        var flood: GuestCommand = ["yes"]
        flood.timeLimit = .milliseconds(200)
        #expect(try await agent.exec(flood).status == .timedOut)
    }

    @Test("Files are written and read, trees are copied both ways, and failures name the first file")
    func files() async throws {
        let bytes = [UInt8]((0..<200_000).map { UInt8(truncatingIfNeeded: $0) })
        try await agent.writeFile(directory.path("data"), bytes, mode: 0o600)
        #expect(try await agent.readFile(directory.path("data")) == bytes)
        let mode = try FileManager.default.attributesOfItem(atPath: directory.path("data"))[.posixPermissions]
        #expect(mode as? Int == 0o600)
        let large = await #expect(throws: AerieError.self) {
            try await agent.readFile(directory.path("data"), limit: 10)
        }
        #expect(large?.found == "it has 200000 bytes, and the limit is 10")
        await #expect(throws: AerieError.self) { try await agent.readFile("/no/such/file") }
        await #expect(throws: AerieError.self) { try await agent.readFile("/dev/zero") }
        try FileManager.default.createDirectory(
            atPath: directory.path("tree/sub"), withIntermediateDirectories: true)
        _ = try directory.file("tree/sub/file", Array("text".utf8))
        try await agent.copyIn(directory.path("tree"), to: directory.path("in"))
        try await agent.copyOut(directory.path("in") + "/.", to: directory.path("out"))
        #expect(try directory.contents(directory.path("out/sub/file")) == Array("text".utf8))
        let absent = await #expect(throws: AerieError.self) { try await agent.copyOut("/no/such/file", to: "/tmp") }
        #expect(absent?.found == "/no/such/file does not exist in the guest")
    }
}

/// The library's commands with agents that tests play.
@Suite("Lost commands of the library") struct LostCommandTests {
    private let directory = TemporaryDirectory()
    private var agent: GuestAgent { GuestAgent(SocketConnector(path: directory.path("vm")), name: "vm") }

    @Test("A connection that ends early is an error of its own, which says whether the command may have run")
    func lost() async throws {
        let server = try AgentServer(directory.path("vm")) { peer in
            _ = peer.greet()
            peer.send(.started(processID: 1))
        }
        defer { server.stop() }
        let error = await #expect(throws: AerieError.self) { try await agent.run(["true"]) }
        #expect(error?.category == .connectionLost)
        #expect(error?.exitCode == 125)
        #expect(
            error?.description
                == "running 'true' in machine 'vm': the connection to the guest's agent was lost; the command has run, and may still run"
        )
    }

    @Test("A task that waits for an agent that does not answer is cancelled at once")
    func cancelledWait() async throws {
        let (greeted, continuation) = AsyncStream<Void>.makeStream()
        let server = try AgentServer(directory.path("vm")) { peer in
            continuation.yield()
            // It reads to the end of the connection, and answers nothing.
            while peer.next() != nil {}
            continuation.finish()
        }
        defer { server.stop() }
        let agent = agent
        let task = Task { try await agent.run(["true"]) }
        var events = greeted.makeAsyncIterator()
        await events.next()
        task.cancel()
        let error = await #expect(throws: AerieError.self) { try await task.value }
        #expect(error?.category == .cancelled)
        // The connection is closed, too.
        #expect(await events.next() == nil)
    }
}

import AerieMachines
import AgentClient
import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Commands of the library with a terminal and with the user's SSH agent, by the real agent on this host.
@Suite(
    "Terminals and SSH agents of the library", .serialized,
    .enabled("needs root on an x86-64 host") { NativeAgent.obstacle == nil })
struct LibraryTerminalTests {
    private let directory = TemporaryDirectory()
    private let native: NativeAgent
    private let agent: GuestAgent

    init() async throws {
        native = try await NativeAgent(directory.path("vm"), in: directory)
        agent = GuestAgent(SocketConnector(path: directory.path("vm")), name: "vm")
    }

    @Test("A command with a terminal has its size, and learns of each change as it happens")
    func size() async throws {
        var command = GuestCommand.shell(
            """
            trap 'stty size; [ "$(stty size)" = "50 132" ] && exit 7' WINCH
            test -t 0 && test -t 1 && test -t 2 && stty size; echo ready >&2
            while :; do sleep 0.02; done
            """)
        command.terminal = TerminalSize(columns: 100, rows: 30)
        let running = try await agent.exec(command, hasInput: true)
        var lines = running.output.lines.makeAsyncIterator()
        #expect(try await lines.next() == "30 100")
        // The terminal has one output for both.
        #expect(try await lines.next() == "ready")
        #expect(try await running.error.collect(upTo: 10).bytes.isEmpty)
        try running.resize(to: TerminalSize(columns: 80, rows: 25))
        #expect(try await lines.next() == "25 80")
        try running.resize(to: TerminalSize(columns: 132, rows: 50))
        #expect(try await lines.next() == "50 132")
        #expect(try await running.status == .exited(7))
    }

    @Test("Every byte passes a terminal in raw mode both ways, and keys of a terminal in its usual mode are signals")
    func bytes() async throws {
        var raw = GuestCommand.shell("stty raw -echo; printf ready; head -c 256")
        raw.terminal = TerminalSize()
        let running = try await agent.exec(raw, hasInput: true)
        let all = (0...255).map { UInt8($0) }
        let ready = Array("ready".utf8)
        var output: [UInt8] = []
        for try await piece in running.output {
            // The terminal is raw by now.
            if output.count < ready.count, output.count + piece.count >= ready.count { try await running.send(all) }
            output += piece
        }
        #expect(output == ready + all)
        #expect(try await running.status == .exited(0))

        var usual: GuestCommand = ["sleep", "1000"]
        usual.terminal = TerminalSize()
        let interrupted = try await agent.exec(usual, hasInput: true)
        try await interrupted.send([3])
        #expect(try await interrupted.status == .signalled(SIGINT))

        let plain = try await agent.exec(["true"])
        let refused = #expect(throws: AerieError.self) { try plain.resize(to: TerminalSize()) }
        #expect(refused?.category == .usage)
    }

    @Test("A command reaches the SSH agent that it is given, and the socket in the guest goes with the command")
    func sshAgent() async throws {
        let path = directory.path("ssh-agent")
        let server = try UnixServer(path) { connection in
            while case let question = connection.read(100), !question.isEmpty {
                connection.write((Array("agent: ".utf8) + question)[...])
            }
        }
        defer { server.stop() }
        let script = """
            use IO::Socket::UNIX; $| = 1; $p = $ENV{SSH_AUTH_SOCK};
            $a = IO::Socket::UNIX->new($p); print $a "one"; sysread $a, $x, 100; print "$p\\n$x\\n"; <STDIN>;
            """
        var command: GuestCommand = ["perl", "-e", script]
        command.sshAgent = path
        command.user = "nobody"
        let running = try await agent.exec(command, hasInput: true)
        var lines = running.output.lines.makeAsyncIterator()
        let socket = try #require(try await lines.next())
        #expect(socket.hasPrefix("/run/aerie-ssh-"))
        #expect(try await lines.next() == "agent: one")
        #expect(access(socket, F_OK) == 0)
        running.finishInput()
        #expect(try await running.status == .exited(0))
        // This program goes on: the socket ends with the command all the same.
        #expect(await Patience.wait { access(socket, F_OK) != 0 })

        command.sshAgent = directory.path("none")
        let absent = await #expect(throws: AerieError.self) { try await agent.run(command) }
        #expect(absent?.category == .usage)
        #expect(absent?.found == "no SSH agent answers at \(directory.path("none")) (No such file or directory)")
    }

    @Test("A command that is cancelled leaves no socket of an SSH agent behind")
    func cancelledForwarding() async throws {
        let path = directory.path("ssh-agent")
        let server = try UnixServer(path) { _ in }
        defer { server.stop() }
        var command = GuestCommand.shell("echo $SSH_AUTH_SOCK; exec sleep 1000")
        command.sshAgent = path
        let running = try await agent.exec(command)
        var lines = running.output.lines.makeAsyncIterator()
        let socket = try #require(try await lines.next())
        #expect(access(socket, F_OK) == 0)
        running.cancel()
        await #expect(throws: AerieError.self) { try await running.status }
        #expect(await Patience.wait { access(socket, F_OK) != 0 })
    }
}

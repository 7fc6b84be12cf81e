import AgentProtocol
import ScriptedAgent
import Foundation
import GuestToolchain
import HostSystem
import TestSupport
import Testing

/// `aerie exec` against an agent that a test plays.
@Suite("Commands in guests", .serialized)
struct ExecTests {
    private let aerie: AerieProcess
    private let socket: String

    init() throws {
        aerie = try AerieProcess()
        socket = aerie.directory.path("vm.sock")
    }

    @Test("The request has what the options say, and a lone variable has its value of this host")
    func request() throws {
        let requests = Monitor<[ExecuteRequest]>([])
        let server = try AgentServer(socket) { peer in
            guard case .execute(let request) = peer.greet() else { return }
            requests.update { $0.append(request) }
            peer.send(.started(processID: 1))
            peer.send(.exit(.exited(7)))
        }
        defer { server.stop() }
        let file = try aerie.directory.file("variables", Array("# comment\n\nC=3\n  D=4 5\nHOSTS\nUNSET\n".utf8))
        let result = try aerie.run(
            [
                "exec", "-i", "-e", "A=1", "-e", "B=2", "--env-file", file, "-e", "HOSTS", "-e", "UNSET", "-w", "/srv",
                "-uwww",
                "vm.sock", "ls", "-i", "--env", "--", "-t",
            ], environment: ["HOSTS": "mine"])
        #expect(result.code == 7, "\(result.error)")
        #expect(result.error == "")
        let all = requests.withLock { $0 }
        let request = try #require(all.first)
        #expect(request.arguments == ["ls", "-i", "--env", "--", "-t"].map { Array($0.utf8) })
        #expect(
            request.environment == ["C=3", "D=4 5", "HOSTS=mine", "A=1", "B=2", "HOSTS=mine"].map { Array($0.utf8) })
        #expect(request.directory == Array("/srv".utf8))
        #expect(request.user == Array("www".utf8))
        #expect(request.hasInput)
        #expect(!request.hasTerminal)
    }

    @Test("A lost connection is code 125, with a line that says whether the command may have run")
    func lostConnection() throws {
        let cases: [(Int, String)] = [
            (0, "exec vm.sock: the connection to the guest's agent was lost; the command may have run"),
            (1, "exec vm.sock: the connection to the guest's agent was lost; the command has run, and may still run"),
        ]
        for (messages, line) in cases {
            let server = try AgentServer(socket) { peer in
                _ = peer.greet()
                if messages > 0 { peer.send(.started(processID: 1)) }
            }
            let result = try aerie.run(["exec", "vm.sock", "true"])
            #expect(result.code == 125)
            #expect(result.error == "aerie: \(line)\n")
            server.stop()
            unlink(socket)
        }
        let server = try AgentServer(socket) { _ in }
        defer { server.stop() }
        let result = try aerie.run(["exec", "--wait", "0", "vm.sock", "true"])
        #expect(result.code == 125)
        #expect(result.error.hasPrefix("aerie: exec vm.sock: the guest's agent did not listen within 0 s; "))
        #expect(result.error.hasSuffix("; the command has not run\n"))
    }

    @Test("What the agent refuses names the command")
    func refusal() throws {
        let server = try AgentServer(socket) { peer in
            _ = peer.greet()
            peer.send(.error(AgentFailure(.notFound, errno: 2, text: Array("nosuch: not found".utf8))))
        }
        defer { server.stop() }
        let result = try aerie.run(["exec", "vm.sock", "nosuch"])
        #expect(result.code == 127)
        #expect(result.error == "aerie: exec vm.sock: nosuch: not found\n")
    }

    @Test("Wrong usage names what is wrong")
    func usage() throws {
        let cases: [([String], Int32, String)] = [
            (["exec", "vm.sock"], 64, "exec vm.sock: a command is missing; see 'aerie help exec'"),
            (
                ["exec", "absent", "true"], 64,
                "machine 'absent': there is none of this name; 'aerie ps --all' lists the machines"
            ),
            (["exec", "-e", "=1", "vm", "true"], 64, "--env: '=1' is not a valid variable; give NAME=VALUE or NAME"),
            (
                ["exec", "--wait", "-1", "vm", "true"], 64,
                "--wait: '-1' is not a valid number of seconds; give one from 0 to 86400"
            ),
            (
                ["exec", "--detach-keys", "ctrl-1", "vm", "true"], 64,
                "--detach-keys: 'ctrl-1' is not a valid sequence of keys; give ctrl-LETTER or single characters, separated by commas, "
                    + "such as ctrl-p,ctrl-q"
            ),
            (["cp", "a", "b"], 64, "cp: neither side is in a guest; give one side as NAME:PATH"),
            (["cp", "vm:/a", "other:/b"], 64, "cp: both sides are in guests; copy to this host first"),
            (["ssh-config", "--port", "0", "vm"], 64, "--port: '0' is not a valid port; give one from 1 to 65535"),
        ]
        for (arguments, code, line) in cases {
            let result = try aerie.run(arguments)
            #expect(result.code == code, "\(arguments)")
            #expect(result.error == "aerie: \(line)\n")
        }
    }

    @Test("Signals to the client reach the command, and the third one without an answer ends the client")
    func signals() throws {
        let got = Monitor<[UInt32]>([])
        let server = try AgentServer(socket) { peer in
            // On a busy host, the client may ask whether the agent lives.
            if case .ping = peer.greet() { return peer.send(.done(files: 0, bytes: 0)) }
            peer.send(.started(processID: 1))
            peer.send(.data(stream: 1, Array("ready".utf8)))
            while case .signal(let number) = peer.next() { got.update { $0.append(number) } }
        }
        defer { server.stop() }
        let program = try RunningProgram(["exec", "vm.sock", "true"], on: aerie)
        // A signal before the command's start ends the client. Its output comes after that.
        #expect(program.waitForUnread(5))
        for (index, signal) in [SIGUSR1, SIGTERM, SIGTSTP, SIGINT].enumerated() {
            program.send(signal)
            if signal == SIGTSTP {
                _ = got.wait { $0.count > index ? () : nil }
                // The client stops itself after it has passed the signal on: SIGCONT before that would let nothing go on.
                #expect(program.waitUntilStopped())
                program.send(SIGCONT)
            }
            _ = got.wait { $0.count > index ? () : nil }
        }
        _ = got.wait { $0.count == 5 ? () : nil }
        let all = got.withLock { $0 }
        #expect(all == [SIGUSR1, SIGTERM, SIGTSTP, SIGCONT, SIGINT].map { UInt32($0) })
        program.send(SIGTERM)
        #expect(program.end() == -SIGTERM)
    }

    @Test(
        "A signal that a dead guest does not answer ends the client, and one that a command takes no notice of does not",
        arguments: [false, true])
    func silence(isAlive: Bool) throws {
        let pings = Monitor(0)
        let server = try AgentServer(socket) { peer in
            if case .ping = peer.greet() {
                pings.update { $0 += 1 }
                if isAlive { peer.send(.done(files: 0, bytes: 0)) } else { _ = peer.next() }
                return
            }
            peer.send(.started(processID: 1))
            peer.send(.data(stream: 1, Array("ready".utf8)))
            guard case .signal = peer.next() else { return }
            if isAlive {
                _ = pings.wait { $0 > 0 ? () : nil }
                peer.send(.exit(.exited(4)))
            } else {
                _ = peer.next()
            }
        }
        defer { server.stop() }
        let program = try RunningProgram(["exec", "vm.sock", "true"], on: aerie)
        #expect(program.waitForUnread(5))
        program.send(SIGTERM)
        #expect(program.end() == (isAlive ? 4 : 125))
        #expect(pings.withLock { $0 } == 1)
    }

    @Test("A reader of standard output that goes away ends the client as SIGPIPE does")
    func closedOutput() throws {
        let server = try AgentServer(socket) { peer in
            _ = peer.greet()
            peer.send(.started(processID: 1))
            var bytes: [UInt8] = []
            AgentMessage.data(stream: 1, [UInt8](repeating: 0x79, count: 60_000)).frame.append(to: &bytes)
            while peer.send(raw: bytes) {}
        }
        defer { server.stop() }
        let script = "\"$0\" exec vm.sock yes | head -c 3; echo \" ${PIPESTATUS[0]}\""
        let result = try aerie.run([], wrapper: ["/bin/bash", "-c", script])
        #expect(result.output == "yyy 141\n")
        #expect(result.error == "")
    }

    @Test("On a terminal, keys and window sizes reach the command, and ctrl-p ctrl-q leaves it")
    func terminal() throws {
        let messages = Monitor<[ClientMessage]>([])
        let request = Monitor<ExecuteRequest?>(nil)
        let server = try AgentServer(socket) { peer in
            guard case .execute(let first) = peer.greet() else { return }
            request.update { $0 = first }
            peer.send(.started(processID: 1))
            peer.send(.credit(1000))
            peer.send(.data(stream: 1, Array("ready".utf8)))
            while let message = peer.next() { messages.update { $0.append(message) } }
        }
        defer { server.stop() }
        let terminal = try PseudoTerminal(columns: 100, rows: 30)
        let before = terminal.settings
        try terminal.start(
            AerieProcess.executable, ["exec", "-it", socket, "sh"], environment: aerie.environment)
        try #require(terminal.wait(for: "ready"))
        #expect(terminal.isRaw)
        let first = try #require(request.withLock { $0 })
        #expect(first.hasTerminal && first.hasInput)
        #expect(first.rows == 30 && first.columns == 100)
        #expect(first.environment == [Array("TERM=xterm".utf8)])
        terminal.type([0x03])
        _ = messages.wait { $0.count == 1 ? () : nil }
        terminal.resize(columns: 80, rows: 24)
        _ = messages.wait { $0.count == 2 ? () : nil }
        terminal.type([0x10, 0x61])
        _ = messages.wait { $0.count == 3 ? () : nil }
        let all = messages.withLock { $0 }
        #expect(all == [.data([0x03]), .window(rows: 24, columns: 80), .data([0x10, 0x61])])
        terminal.type([0x10, 0x11])
        #expect(terminal.end() == 0)
        #expect(terminal.wait(for: "aerie: exec \(socket): detached; the command got SIGHUP"))
        #expect(terminal.settings == before)
    }

    @Test("The terminal is restored when the connection is lost")
    func lostOnTerminal() throws {
        let server = try AgentServer(socket) { peer in
            _ = peer.greet()
            peer.send(.started(processID: 1))
            peer.send(.credit(100))
            peer.send(.data(stream: 1, Array("ready".utf8)))
            _ = peer.next()
        }
        defer { server.stop() }
        let terminal = try PseudoTerminal()
        let before = terminal.settings
        try terminal.start(AerieProcess.executable, ["exec", "-it", socket, "sh"], environment: aerie.environment)
        try #require(terminal.wait(for: "ready"))
        terminal.type([0x78])
        #expect(terminal.end() == 125)
        #expect(terminal.settings == before)
    }

    @Test("ssh-config prints a host whose connection is this program's, which passes bytes both ways")
    func ssh() throws {
        let requests = Monitor<[ForwardRequest]>([])
        let server = try AgentServer(socket) { peer in
            guard case .forward(let request) = peer.greet() else { return }
            requests.update { $0.append(request) }
            peer.send(.done(files: 0, bytes: 0))
            var got: [UInt8] = []
            while case let bytes = peer.readRaw(1 << 16), !bytes.isEmpty { got += bytes }
            peer.send(raw: Array("SSH-2.0 ".utf8) + got)
        }
        defer { server.stop() }
        let result = try aerie.run(["ssh-config", "--host", "web", socket])
        #expect(result.code == 0, "\(result.error)")
        let lines = result.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(lines.first == "Host web")
        #expect(lines.contains("ProxyCommand \(AerieProcess.executable) ssh-proxy \(socket)"))
        #expect(lines.contains("User root"))
        let proxy = try aerie.run(["ssh-proxy", socket], input: "hello")
        #expect(proxy.code == 0, "\(proxy.error)")
        #expect(proxy.output == "SSH-2.0 hello")
        let other = try aerie.run(["ssh-proxy", "--socket", "/run/ssh.sock", socket], input: "x")
        #expect(other.output == "SSH-2.0 x")
        #expect(
            requests.withLock { $0 } == [.tcp(address: nil, port: 22), .unix(path: Array("/run/ssh.sock".utf8))])
    }
}

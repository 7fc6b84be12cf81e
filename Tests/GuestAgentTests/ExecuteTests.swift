import AgentProtocol
import AgentTestSupport
import Foundation
import GuestToolchain
import TestSupport
import Testing

#if arch(x86_64)
    @Suite("EXEC of the guest's agent")
    struct ExecuteTests {
        let agent: AgentProcess

        init() throws { agent = try AgentProcess() }

        @Test("Both output streams and the exit code come back as they are, with an end of each stream")
        func streams() throws {
            let result = try agent.shell(#"printf 'a\000b\r\n'; printf 'err\377' >&2; exit 7"#)
            #expect(result.output == [0x61, 0, 0x62, 0x0d, 0x0a])
            #expect(result.error == Array("err".utf8) + [0xff])
            #expect(result.end == .exited(7))
            #expect(result.ended == [1, 2])
            #expect(try agent.shell("kill -9 $$").end == .signalled(9))
        }

        @Test("A command that closes its outputs and goes on has ended both streams, and not itself")
        func earlyEnd() throws {
            let client = try agent.client()
            var request = ExecuteRequest("sh", "-c", "exec >&- 2>&-; read line; exit 3")
            request.hasInput = true
            try client.begin(.execute(request))
            var ended: Set<UInt8> = []
            while ended.count < 2, let message = try client.next() {
                if case .end(let stream) = message { ended.insert(stream) }
                if case .exit = message { Issue.record("the command has not ended") }
            }
            #expect(ended == [1, 2])
            try client.send(.end)
            #expect(try client.next() == .exit(.exited(3)))
        }

        @Test("A command waits until the guest's network is up, and a signal does not; nothing else waits")
        func boot() throws {
            let agent = try AgentProcess(bootMark: "booting")
            let mark = agent.directory.path("booting")
            // What needs no network is answered.
            #expect(try agent.answer(.ping) == .done(files: 0, bytes: 0))
            let (waiting, asked) = (try agent.client(), try agent.client())
            try waiting.begin(.execute(ExecuteRequest("sh", "-c", "stat -c %s \(mark)")))
            try asked.begin(.execute(ExecuteRequest("sleep", "1000")))
            try asked.send(.signal(15))
            var events: [AgentMessage] = []
            while let message = try asked.next() { events.append(message) }
            #expect(events.last == .exit(.signalled(15)))
            _ = try agent.directory.file("booting", Data())
            // The command sees the mark as it is when the command starts.
            events = []
            while let message = try waiting.next() { events.append(message) }
            #expect(
                events.contains(.data(stream: 1, Array("0\n".utf8))) && events.last == .exit(.exited(0)), "\(events)")
            // A later mark is nobody's.
            _ = try agent.directory.file("booting", Data("booting".utf8))
            #expect(try agent.shell("stat -c %s \(mark)").text == "7\n")
        }

        @Test("A command that cannot be started says why")
        func failures() throws {
            #expect(
                try agent.execute(ExecuteRequest("no-such-program")).failure
                    == AgentFailure(
                        .notFound, errno: 2, text: Array("'no-such-program': no such program in the guest's PATH".utf8))
            )
            #expect(
                try agent.execute(ExecuteRequest("/no/such")).failure
                    == AgentFailure(.notFound, errno: 2, text: Array("'/no/such': no such file or directory".utf8)))
            #expect(
                try agent.execute(ExecuteRequest("/etc/passwd")).failure
                    == AgentFailure(.notExecutable, errno: 13, text: Array("'/etc/passwd': permission denied".utf8)))
            var request = ExecuteRequest("true")
            request.directory = Array("/nope".utf8)
            #expect(
                try agent.execute(request).failure
                    == AgentFailure(.badDirectory, errno: 2, text: Array("'/nope': no such file or directory".utf8)))
            request.directory = nil
            request.user = Array("nobody-of-this-name".utf8)
            #expect(try agent.execute(request).failure?.code == .badUser)
            request.user = Array("0:no-such-group".utf8)
            #expect(
                try agent.execute(request).failure
                    == AgentFailure(
                        .badUser, text: Array("'no-such-group': no such group in /etc/group of the guest".utf8)))
        }

        @Test("A file without a known format is run by the shell, as execvp does")
        func scripts() throws {
            let script = try agent.directory.program("script", Data("echo script $1\n".utf8))
            #expect(try agent.execute(ExecuteRequest(script, "one")).text == "script one\n")
        }

        @Test("Standard input goes through unchanged, and its end arrives")
        func input() throws {
            let data = (0..<30_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 9) }
            let result = try agent.execute(ExecuteRequest("cat"), input: data)
            #expect(result.output == data)
            #expect(result.end == .exited(0))
            #expect(try agent.execute(ExecuteRequest("wc", "-c"), input: []).text == "0\n")
            #expect(try agent.shell("cat; echo none").text == "none\n")
        }

        @Test("Input that the command does not want is taken all the same")
        func unwantedInput() throws {
            let result = try agent.shell("exec <&-; echo closed", input: [UInt8](repeating: 1, count: 3_000_000))
            #expect(result.text == "closed\n")
            #expect(result.end == .exited(0))
        }

        @Test("The environment is the default one, and the request's variables go over it")
        func environment() throws {
            var request = ExecuteRequest("env")
            request.environment = ["A=b=c", "LANG=de", "A=d"].map { Array($0.utf8) }
            let variables = try agent.execute(request).text.split(separator: "\n").map(String.init)
            let names = variables.map { String($0.prefix { $0 != "=" }) }
            #expect(names.sorted() == ["A", "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"])
            #expect(variables.contains("A=d"))
            #expect(variables.contains("LANG=de"))
            #expect(variables.contains("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
        }

        @Test("A command has no signals blocked or ignored, no descriptors of the agent's, and the usual limits")
        func cleanStart() throws {
            let result = try agent.shell("grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd; ulimit -n; umask")
            let limit = try #require(getrlimitFiles())
            let expected =
                "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0\n1\n2\n3\n\(limit)\n0022\n"
            #expect(result.text == expected)
        }

        private func getrlimitFiles() -> UInt64? {
            var limit = rlimit()
            return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? UInt64(limit.rlim_cur) : nil
        }

        @Test("A terminal has the wanted size, follows its changes, and its end of file is typed")
        func terminal() throws {
            var request = ExecuteRequest(
                "sh", "-c",
                "stty size; echo $TERM; trap 'stty size; exit 3' WINCH; cat; echo end; read x; while :; do sleep 0.05; done"
            )
            request.hasTerminal = true
            request.hasInput = true
            request.rows = 33
            request.columns = 111
            let client = try agent.client()
            try client.begin(.execute(request))
            var seen = ""
            func wait(for text: String) throws {
                while !seen.contains(text) {
                    guard let message = try client.next() else {
                        throw AgentClient.Failure(description: "lost: \(seen)")
                    }
                    if case .data(stream: 1, let bytes) = message { seen += String(decoding: bytes, as: UTF8.self) }
                }
            }
            try wait(for: "33 111\r\nxterm-256color\r\n")
            try client.send(.data(Array("typed\n".utf8)))
            try wait(for: "typed\r\ntyped\r\n")
            try client.send(.data([4]))
            try wait(for: "end\r\n")
            try client.send(.window(rows: 44, columns: 55))
            try client.send(.data(Array("\n".utf8)))
            try wait(for: "44 55\r\n")
            var end: CommandEnd?
            while let message = try client.next() { if case .exit(let value) = message { end = value } }
            #expect(end == .exited(3))
        }

        @Test("SIGNAL reaches the command's whole group, and on a terminal the foreground group")
        func signals() throws {
            for hasTerminal in [false, true] {
                var request = ExecuteRequest("sh", "-c", "sleep 1000 | cat; echo not reached")
                request.hasTerminal = hasTerminal
                let client = try agent.client()
                try client.begin(.execute(request))
                guard case .started(let process)? = try client.next() else {
                    throw AgentClient.Failure(description: "start")
                }
                // The group has its members when the shell has two children.
                let children = "/proc/\(process)/task/\(process)/children"
                #expect(
                    Patience.wait {
                        ((try? String(contentsOfFile: children, encoding: .utf8)) ?? "").split(separator: " ").count
                            == 2
                    })
                try client.send(.signal(15))
                var end: CommandEnd?
                while let message = try client.next() { if case .exit(let value) = message { end = value } }
                #expect(end == .signalled(15))
            }
        }

        @Test("The end of the connection hangs the command up", arguments: [false, true])
        func hangUp(hasTerminal: Bool) throws {
            var request = ExecuteRequest("sleep", "1000")
            request.hasTerminal = hasTerminal
            var client: AgentClient? = try agent.client()
            try client?.begin(.execute(request))
            guard case .started(let process)? = try client?.next() else {
                throw AgentClient.Failure(description: "start")
            }
            #expect(kill(Int32(process), 0) == 0)
            client = nil
            #expect(Patience.wait { kill(Int32(process), 0) != 0 })
        }

        @Test("Descendants that hold the streams open do not hold up the command's end")
        func heldStreams() throws {
            let result = try agent.shell("sleep 1000 & echo $!")
            #expect(result.end == .exited(0))
            #expect(result.ended == [])
            let process = try #require(Int32(result.text.dropLast()))
            #expect(kill(process, SIGKILL) == 0)
        }

        @Test("A client that does not read stops its command, and no other")
        func backpressure() throws {
            var stalled: [AgentClient] = []
            for _ in 0..<8 {
                let client = try agent.client()
                try client.begin(.execute(ExecuteRequest("cat", "/dev/zero")))
                stalled.append(client)
            }
            #expect(try agent.shell("echo here").text == "here\n")
            // One chunk of each session waits in the agent, and no more.
            #expect(Patience.wait { agent.residentMemory <= 2048 })
            let first = try #require(stalled.first)
            var count = 0
            while count < 20_000_000, let message = try first.next() {
                if case .data(stream: 1, let bytes) = message { count += bytes.count }
            }
            #expect(count >= 20_000_000)
            #expect(agent.residentMemory <= 2048)
        }
    }
#endif

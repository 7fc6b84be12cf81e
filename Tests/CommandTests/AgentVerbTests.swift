import Foundation
import GuestToolchain
import TestSupport
import Testing

/// `aerie exec` and `aerie cp` with the real agent on this host.
@Suite(
    "Verbs of the agent", .serialized,
    .enabled("needs root on an x86-64 host") { NativeAgent.obstacle == nil })
struct AgentVerbTests {
    private let aerie: AerieProcess
    private let agent: NativeAgent

    init() async throws {
        aerie = try AerieProcess()
        agent = try await NativeAgent(aerie.directory.path("vm"), in: aerie.directory)
    }

    private func exec(_ words: [String], input: String = "") throws -> AerieResult {
        try aerie.run(["exec"] + words, input: input)
    }

    /// Runs a script of the host with the program as `$aerie`, in the test's directory.
    private func shell(_ script: String) throws -> AerieResult {
        // The program's path follows the script, and is `$0` there.
        try aerie.run([], wrapper: ["/bin/bash", "-ec", "aerie=$0\n\(script)"])
    }

    @Test("Exit codes are the command's, 128 and the signal's number, 126 and 127, and output is the command's alone")
    func codes() throws {
        let cases: [([String], Int32, String)] = [
            (["sh", "-c", "echo out; exit 5"], 5, "out\n"), (["sh", "-c", "kill -9 $$"], 137, ""),
            (["no-such-program"], 127, ""), (["/etc/passwd"], 126, ""), (["true"], 0, ""),
        ]
        for (command, code, output) in cases {
            let result = try exec(["vm"] + command)
            #expect(result.code == code, "\(command): \(result.error)")
            #expect(result.output == output)
            #expect(result.error.isEmpty == (code != 126 && code != 127), "\(result.error)")
        }
        #expect(try exec(["-w", "/no-such-directory", "vm", "true"]).code == 126)
        #expect(try exec(["-u", "no-such-user", "vm", "true"]).code == 126)
        let result = try exec(["-e", "A=1 2", "-w", "/tmp", "vm", "sh", "-c", "echo \"$A\" $PWD; echo err >&2"])
        #expect(result.output == "1 2 /tmp\n")
        #expect(result.error == "err\n")
    }

    @Test("Large input and output pass both ways unchanged, and ends of file pass in both directions")
    func bytes() throws {
        let result = try shell(
            """
            yes 'some text that is not all zeroes' | head -c 200000000 | tee >(sha256sum >sum) |
                "$aerie" exec -i vm cat | sha256sum >echoed
            "$aerie" exec vm sh -c 'yes 0123456789 | head -c 100000000' | sha256sum >made
            yes 0123456789 | head -c 100000000 | sha256sum >expected
            # A closed input, /dev/null and a file; a command that does not read its input.
            echo text | "$aerie" exec vm wc -c
            "$aerie" exec -i vm wc -c </dev/null
            "$aerie" exec -i vm wc -c <&-
            printf 12345 >five; "$aerie" exec -i vm wc -c <five
            yes | head -c 10000000 | "$aerie" exec -i vm true; echo code $?
            cmp sum echoed && cmp made expected && echo same
            """)
        #expect(result.output == "0\n0\n0\n5\ncode 0\nsame\n", "\(result.error)")
    }

    @Test("With --ssh a command reaches this user's SSH agent, and its socket goes with the command")
    func sshAgent() throws {
        let path = aerie.directory.path("ssh-agent")
        let server = try UnixServer(path) { connection in
            while case let question = connection.read(100), !question.isEmpty {
                connection.write((Array("agent: ".utf8) + question)[...])
            }
        }
        defer { server.stop() }
        // Two connections at the same time, by a user who is not root.
        let script = """
            use IO::Socket::UNIX; $p = $ENV{SSH_AUTH_SOCK};
            $a = IO::Socket::UNIX->new($p); $b = IO::Socket::UNIX->new($p);
            print $b "two"; sysread $b, $y, 100; print $a "one"; sysread $a, $x, 100; print "$p\\n$x $y\\n";
            """
        let result = try aerie.run(
            ["exec", "--ssh", "-u", "nobody", "vm", "perl", "-e", script], environment: ["SSH_AUTH_SOCK": path])
        let lines = result.output.split(separator: "\n").map(String.init)
        try #require(lines.count == 2, "\(result.error)")
        #expect(lines[1] == "agent: one agent: two")
        #expect(lines[0].hasPrefix("/run/aerie-ssh-"))
        #expect(Patience.wait { access(lines[0], F_OK) != 0 })
        // Without the option there is no agent, and without an agent the option is an error.
        let plain = try aerie.run(
            ["exec", "vm", "sh", "-c", "echo \"<$SSH_AUTH_SOCK>\""], environment: ["SSH_AUTH_SOCK": path])
        #expect(plain.output == "<>\n")
        for wrong in ["", "/no-such-agent"] {
            let result = try aerie.run(["exec", "--ssh", "vm", "true"], environment: ["SSH_AUTH_SOCK": wrong])
            #expect(result.code == 64)
            #expect(result.error.hasPrefix("aerie: --ssh: "))
        }
    }

    @Test("Twenty commands at once have each its own streams")
    func many() throws {
        let result = try shell(
            """
            for i in $(seq 20); do echo $i | "$aerie" exec -i vm sh -c 'sleep 0.1; cat' >out$i & done; wait
            for i in $(seq 20); do [ "$(cat out$i)" = $i ] || echo bad $i; done; echo checked
            """)
        #expect(result.output == "checked\n", "\(result.error)")
    }

    @Test("On a terminal, the command has a window that changes its size, and Ctrl-C is its own")
    func terminal() throws {
        let terminal = try PseudoTerminal(columns: 90, rows: 20)
        let before = terminal.settings
        let script =
            "trap 'stty size' WINCH; trap 'echo inter\"\"rupted; exit 9' INT; stty size; tty; while :; do sleep 0.05; done"
        try terminal.start(
            AerieProcess.executable, ["exec", "-it", aerie.directory.path("vm"), "bash", "-c", script],
            environment: aerie.environment)
        try #require(terminal.wait(for: "20 90\r\n/dev/pts/"))
        terminal.resize(columns: 70, rows: 10)
        try #require(terminal.wait(for: "10 70\r\n"))
        terminal.type([0x03])
        #expect(terminal.wait(for: "interrupted\r\n"))
        #expect(terminal.end() == 9)
        #expect(terminal.settings == before)
    }

    @Test("Signals without a terminal end the command, and its end is the client's")
    func signals() throws {
        let result = try shell(
            """
            "$aerie" exec vm sh -c 'trap "echo got; exit 3" TERM; echo ready; while :; do sleep 0.05; done' >out &
            until grep -q ready out; do sleep 0.02; done
            kill -TERM $!; wait $! || echo code $?; cat out
            "$aerie" exec vm sh -c 'echo ready; exec sleep 1000' >out2 &
            until grep -q ready out2; do sleep 0.02; done
            kill -TERM $!; wait $! || echo code $?
            """)
        #expect(result.output == "code 3\nready\ngot\ncode 143\n", "\(result.error)")
    }

    @Test("Trees and files go into the guest and come back the same, by podman's rules for names")
    func copies() throws {
        let result = try shell(
            """
            mkdir -p in/sub guest; printf data >in/sub/f; ln in/sub/f in/sub/g; ln -s ../x in/sub/l; mkfifo in/p
            truncate -s 50M in/hole; printf end >>in/hole; chmod 0750 in/sub; chmod 0444 in/sub/f; : >'in/na me'
            touch -h -d '2001-02-03 04:05:06.789' in/sub/f in/sub/l in/sub in
            g=$PWD/guest
            list() { (cd $1 && find . -printf '%p %y %m %s %T@ %l\\n' | grep -v '^\\./hole\\|^\\. ' | sort); }
            "$aerie" cp in vm:$g/new && list in >a && list guest/new >b && diff a b
            "$aerie" cp vm:$g/new out && list out >c && diff a c && cmp in/hole out/hole
            [ $(stat -c %b out/hole) -lt 1000 ] && [ $(stat -c %i out/sub/f) = $(stat -c %i out/sub/g) ] && echo kept
            mkdir dir; "$aerie" cp vm:$g/new dir; "$aerie" cp vm:$g/new/. dir/plain; "$aerie" cp vm:$g/new/sub/f dir/one
            ls -d dir/new/sub/f dir/plain/sub/f; cat dir/one; echo
            "$aerie" cp dir/one vm:$g/new/; cat guest/new/one; echo
            tar -C in -c sub | "$aerie" cp - vm:$g; ls guest
            "$aerie" cp vm:$g/sub - | tar -t | sort
            """)
        #expect(
            result.output
                == "kept\ndir/new/sub/f\ndir/plain/sub/f\ndata\ndata\nnew\nsub\nsub\nsub/f\nsub/g\nsub/l\n",
            "\(result.error)")
        #expect(result.error == "")
    }

    @Test("A copy that cannot be made names the file or the obstacle, with code 1")
    func failedCopies() throws {
        let result = try shell(
            """
            mkdir dir; : >file; mkdir -p guest/t; mknod guest/t/null c 1 3; echo ok >guest/t/z
            try() { "$aerie" cp "$@" || echo code $?; }
            try absent vm:$PWD/guest 2>&1
            try vm:$PWD/absent . 2>&1
            try dir vm:$PWD/file 2>&1
            try file vm:$PWD/nowhere/ 2>&1
            try vm:$PWD/guest file 2>&1
            """)
        let lines = result.output.split(separator: "\n")
        let path = aerie.directory.path
        #expect(
            lines == [
                "aerie: cp absent vm:\(path)/guest: absent: No such file or directory", "code 1",
                "aerie: cp vm:\(path)/absent .: \(path)/absent does not exist in the guest", "code 1",
                "aerie: cp dir vm:\(path)/file: \(path)/file: a directory cannot be copied onto a file", "code 1",
                "aerie: cp file vm:\(path)/nowhere/: \(path)/nowhere/: the directory does not exist", "code 1",
                "aerie: cp vm:\(path)/guest file: file: a directory cannot be copied onto a file", "code 1",
            ], "\(result.error)")
    }
}

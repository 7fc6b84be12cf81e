import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Commands of machines that run without a terminal: the guest's agent starts them at the console.
@Suite(
    "Commands in the background", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct BackgroundCommandTests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    private func run(_ words: String...) throws -> AerieResult {
        try aerie.run(words, environment: DebianImage.environment)
    }

    @Test("A command of 100 KB runs in the background, and one beyond the agent's bound is refused before it boots")
    func longCommand() throws {
        let text = String(repeating: "x", count: 100_000)
        #expect(try run("run", "-d", "--name", "one", "debian", "sh", "-c", "echo ${#1}; exit 7", "sh", text).code == 0)
        defer { _ = try? run("rm", "--force", "one") }
        #expect(try run("wait", "one").output == "7\n")
        #expect(try run("logs", "one").output.contains("100000"))
        let beyond = try aerie.run(
            ["create", "debian", "echo"] + Array(repeating: text, count: 3), environment: DebianImage.environment)
        #expect(beyond.code == 64)
        #expect(
            beyond.error.hasPrefix("aerie: the command for the guest: it has more than 262144 bytes or 8192 words"))
    }

    @Test("'start' runs the command of a machine again that ran it on a terminal, with its environment and its code")
    func commandAgain() throws {
        let options = ["run", "--name", "one", "-e", "WORD=well", "-w", "/tmp", "debian"]
        let script = "echo run >>/root/runs; echo $WORD in $(pwd), $(wc -l </root/runs) times; exit 3"
        let first = try aerie.run(options + ["sh", "-c", script], environment: DebianImage.environment)
        defer { _ = try? run("rm", "--force", "one") }
        #expect(first.output == "well in /tmp, 1 times\n", "\(first.error)")
        #expect(first.code == 3)
        #expect(try run("start", "one").code == 0)
        #expect(try run("wait", "one").output == "3\n")
        #expect(try run("logs", "one").output.contains("well in /tmp, 2 times"))
        #expect(try run("ps", "--all").output.contains("Exited (3)"))
    }

    @Test("'create' keeps a command's environment, directory and user for each start")
    func created() throws {
        let options = ["create", "--name", "one", "-e", "WORD=well", "-w", "/tmp", "-u", "nobody", "debian"]
        let made = try aerie.run(
            options + ["sh", "-c", "echo $WORD in $(pwd) by $(id -un); exit 5"], environment: DebianImage.environment)
        #expect(made.code == 0, "\(made.error)")
        defer { _ = try? run("rm", "--force", "one") }
        for _ in 1...2 {
            #expect(try run("start", "one").code == 0)
            #expect(try run("wait", "one").output == "5\n")
        }
        let lines = try run("logs", "one").output.split(separator: "\n").filter {
            $0.contains("well in /tmp by nobody")
        }
        #expect(lines.count == 2)
        let forwarding = try run("create", "--ssh", "debian", "true")
        #expect(forwarding.code == 64 && forwarding.error.hasPrefix("aerie: --ssh: the machine runs in the background"))
        let unused = try run("create", "-w", "/tmp", "--kernel", "/dev/null")
        #expect(unused.code == 64 && unused.error.hasPrefix("aerie: --workdir: no command is given"))
    }

    @Test("A policy starts a machine again whose command in the background fails")
    func restart() throws {
        let script = "echo run >>/root/runs; [ $(wc -l </root/runs) = 3 ]"
        #expect(
            try run("run", "-d", "--name", "one", "--restart", "on-failure:5", "debian", "sh", "-c", script).code == 0)
        defer { _ = try? run("rm", "--force", "one") }
        #expect(try run("wait", "one").output == "0\n")
        #expect(try run("inspect", "one").output.contains(#""restarts" : 2"#))
    }

    @Test("A command that cannot start ends the machine as a shell would, and the console says why")
    func missingCommand() throws {
        let cases = [
            (["no-such-program"], 127, "'no-such-program': no such file or directory"),
            (["-w", "/nowhere", "debian", "true"], 126, "'/nowhere': no such file or directory"),
            (["-u", "stranger", "debian", "true"], 126, "no such user in /etc/passwd of the guest"),
        ]
        for (words, code, reason) in cases {
            let all = ["run", "-d", "--name", "one"] + (words.count == 1 ? ["debian"] : []) + words
            #expect(try aerie.run(all, environment: DebianImage.environment).code == 0)
            #expect(try run("wait", "one").output == "\(code)\n")
            let console = try run("logs", "one").output
            #expect(console.contains("aerie: the command of this machine: ") && console.contains(reason), "\(console)")
            #expect(try run("rm", "one").code == 0)
        }
    }

    @Test(
        "A guest whose kernel panics ends with an outcome of its own, is said to have, and is started again by a policy"
    )
    func panic() throws {
        let script = "[ -e /root/again ] && exit 4; touch /root/again; sync; echo c >/proc/sysrq-trigger"
        #expect(try run("run", "-d", "--name", "one", "debian", "sh", "-c", script).code == 0)
        defer { _ = try? run("rm", "--force", "one", "two") }
        #expect(try run("wait", "one").output == "70\n")
        #expect(try run("logs", "one").output.contains("Kernel panic - not syncing"))
        let listed = try run("ps", "--all").output
        #expect(listed.contains("Exited (70)") && listed.contains("ago, kernel panic"), "\(listed)")
        let inspected = try run("inspect", "one").output
        #expect(inspected.contains(#""outcome" : "panicked""#) && inspected.contains("its kernel panicked"))
        #expect(
            try run("run", "-d", "--name", "two", "--restart", "on-failure:1", "debian", "sh", "-c", script).code == 0)
        #expect(try run("wait", "two").output == "4\n")
        #expect(try run("inspect", "two").output.contains(#""restarts" : 1"#))
    }

    @Test("A guest that resets itself is no panic: it starts again, or is said to have ended by a reset")
    func reset() throws {
        let script = "[ -e /root/again ] && exit 5; touch /root/again; reboot; sleep 1000"
        #expect(try run("run", "-d", "--name", "one", "debian", "sh", "-c", script).code == 0)
        defer { _ = try? run("rm", "--force", "one", "two") }
        #expect(try run("wait", "one").output == "5\n")
        #expect(try run("run", "-d", "--name", "two", "--no-reboot", "debian", "sh", "-c", script).code == 0)
        #expect(try run("wait", "two").output == "0\n")
        #expect(try run("ps", "--all", "--filter", "name=two").output.contains("ago, by a reset"))
    }
}

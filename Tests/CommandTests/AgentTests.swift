import AgentProtocol
import AgentTestSupport
import Foundation
import GuestToolchain
import TestSupport
import Testing

/// The agent in a Debian guest, over vsock. `GuestAgentTests` has what needs no guest.
@Suite(
    "The agent in a Debian guest", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct AgentTests {
    /// Stays until the guest powers off, and then ends well.
    private static let waiting = "trap 'exit 0' HUP TERM; while :; do sleep 1; done"

    @Test("The agent starts with the guest, runs commands and moves files without a network, and powers the guest off")
    func debian() throws {
        let aerie = try AerieProcess()
        let path = aerie.directory.path("vm.sock")
        let guest = try RunningProgram(
            ["run", "--vsock", path, "--network", "none", "debian", "sh", "-c", Self.waiting], on: aerie,
            environment: DebianImage.environment)
        func client() throws -> AgentClient { try AgentClient(path, guestPort: AgentLimits.port) }
        func shell(_ script: String, input: [UInt8]? = nil) throws -> AgentClient.Execution {
            try client().execute(ExecuteRequest("sh", "-c", script), input: input)
        }
        #expect(
            Patience.wait {
                if (try? client().answer(.ping)) == .done(files: 0, bytes: 0) { return true }
                // Every try is work for the guest that boots.
                usleep(100_000)
                return false
            })

        let first = try shell("id -u; pwd; exit 5")
        #expect(first.text == "0\n/root\n")
        #expect(first.end == .exited(5))
        let data = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        #expect(try shell("cat", input: data).output == data)
        var terminal = ExecuteRequest("sh", "-c", "tty; stty size")
        terminal.hasTerminal = true
        terminal.rows = 31
        #expect(try client().execute(terminal).text == "/dev/pts/0\r\n31 80\r\n")
        var user = ExecuteRequest("id", "-un")
        user.user = Array("nobody".utf8)
        #expect(try client().execute(user).text == "nobody\n")
        // Each system has a machine ID, of which the image has none.
        #expect(try shell("grep -cxE '[0-9a-f]{32}' /etc/machine-id").text == "1\n")
        try identity(client, { try shell($0, input: $1) })

        // The agent's memory, in kilobytes, and its place in the kernel's order of victims; commands have their own. One
        // session stays beside a large one that ends.
        let standing = try client()
        #expect(try shell("cat", input: data).output == data)
        let facts = try shell(
            "p=$(pidof agent); grep VmRSS /proc/$p/status; cat /proc/$p/oom_score_adj /proc/self/oom_score_adj")
        let words = facts.text.split(whereSeparator: \.isWhitespace)
        #expect(words.count == 5)
        #expect((Int(words.dropFirst().first ?? "") ?? .max) <= 1024, "\(facts.text)")
        #expect(words.suffix(2) == ["-1000", "0"])
        #expect(try standing.answer(.ping) == .done(files: 0, bytes: 0))
        // No program of the guest but the host reaches the agent.
        let local =
            #"use Socket; socket(my $s, 40, 1, 0); connect($s, pack "S S L L x4", 40, 0, 1023, 1) or exit 1; sysread($s, my $b, 1)"#
        #expect(try client().execute(ExecuteRequest("perl", "-e", local + " and exit 2; exit 1")).end == .exited(1))

        #expect(try client().answer(.powerOff) == .done(files: 0, bytes: 0))
        #expect(guest.end() == 0)
    }

    /// What CONFIGURE sets, and INFORM tells.
    private func identity(
        _ client: () throws -> AgentClient, _ shell: (String, [UInt8]?) throws -> AgentClient.Execution
    ) throws {
        var configuration = ConfigureRequest()
        configuration.hostname = Array("other.example".utf8)
        configuration.machineID = Array("0123456789abcdef0123456789abcdef".utf8)
        configuration.entropy = [UInt8](repeating: 9, count: 64)
        configuration.time = GuestTime(seconds: 2_000_000_000, nanoseconds: 0)
        #expect(try client().answer(.configure(configuration)) == .done(files: 0, bytes: 0))
        let seen = try shell("uname -n; cat /etc/hostname /etc/machine-id; date +%Y", nil).text
        #expect(seen == "other.example\nother.example\n0123456789abcdef0123456789abcdef\n2033\n")
        guard case .information(let information)? = try client().answer(.inform) else {
            Issue.record("no INFORMATION")
            return
        }
        #expect(information.hostname == Array("other.example".utf8))
        #expect(information.systemID == Array("debian".utf8))
        #expect(information.bootID.count == 16)
    }
}

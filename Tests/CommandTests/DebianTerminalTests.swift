import Foundation
import Testing

/// What a login on a terminal is to the programs that it starts.
@Suite(
    "Debian's terminal", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct DebianTerminalTests {
    private static let interrupt: [UInt8] = [0x03]
    private static let suspend: [UInt8] = [0x1A]

    private let aerie: AerieProcess
    private let terminal: PseudoTerminal

    init() throws {
        aerie = try AerieProcess()
        terminal = try PseudoTerminal()
    }

    private func start(_ environment: [String: String] = DebianImage.environment, _ command: [String] = []) throws {
        try terminal.start(
            AerieProcess.executable, ["run", "debian"] + command,
            environment: aerie.environment.merging(environment) { $1 })
        if command.isEmpty { try #require(terminal.wait(for: "# ")) }
    }

    /// Types a line for the shell. What the line prints differs from its echo where `'` stands in a word.
    private func type(_ line: String) { terminal.type(Array("\(line)\n".utf8)) }

    private func powerOff() {
        type("poweroff")
        #expect(terminal.end() == 0)
    }

    @Test("Its shell leads a session with the terminal, and no signal is ignored or blocked in what it starts")
    func login() throws {
        try start()
        type("grep -E 'Sig(Ign|Blk)' /proc/self/status; echo sig'nals'")
        #expect(terminal.wait(for: "signals\r\n"))
        let text = String(decoding: terminal.received, as: UTF8.self)
        #expect(text.contains("SigBlk:\t0000000000000000\r\n"), "\(text)")
        #expect(text.contains("SigIgn:\t0000000000000000\r\n"), "\(text)")
        type("echo lea'ds'=$(($(ps -o sid= -p $$) == $$)) tty=$(tty) terminal=$(ps -o tty= -p $$)'.'")
        #expect(terminal.wait(for: "leads=1 tty=/dev/ttyS0 terminal=ttyS0."))
        powerOff()
    }

    @Test("Ctrl-P Ctrl-Q gives the terminal back, the guest goes on, and 'attach' comes back to its shell")
    func detach() throws {
        let before = terminal.settings
        let environment = aerie.environment.merging(DebianImage.environment) { $1 }
        try terminal.start(AerieProcess.executable, ["run", "--name", "one", "debian"], environment: environment)
        defer { _ = try? aerie.run(["rm", "--force", "one"], environment: DebianImage.environment) }
        try #require(terminal.wait(for: "# "))
        type("word=kep't'")
        terminal.type([0x10, 0x11])
        #expect(terminal.end() == 0)
        #expect(terminal.wait(for: "aerie: detached; 'one' goes on"))
        #expect(terminal.settings == before)
        let listed = try aerie.run(["ps"], environment: DebianImage.environment).output
        #expect(listed.contains("one") && listed.contains("Up"), "\(listed)")
        let second = try PseudoTerminal()
        try second.start(AerieProcess.executable, ["attach", "one"], environment: environment)
        second.type(Array("echo wo'rd' is $word; poweroff\n".utf8))
        #expect(second.wait(for: "word is kept"))
        #expect(second.end() == 0)
    }

    @Test(
        "A command on a terminal goes on when its user detaches, 'attach' comes back to it, and its code is the machine's",
        arguments: [["--name", "one"], ["--name", "one", "--rm"], ["--name", "one", "--detach", "-it"]])
    func detachedCommand(options: [String]) throws {
        let environment = aerie.environment.merging(DebianImage.environment) { $1 }
        let script = "cd /srv; word=kept; echo be'gins' $1; read -r line; echo $line $word $(pwd)','; exit 7"
        let words = ["run"] + options + ["-w", "/srv", "debian", "bash", "-c", script, "bash", "here"]
        defer { _ = try? aerie.run(["rm", "--force", "one"], environment: DebianImage.environment) }
        try terminal.start(AerieProcess.executable, words, environment: environment)
        if !options.contains("--detach") {
            try #require(terminal.wait(for: "begins here"))
            terminal.type([0x10, 0x11])
            #expect(terminal.wait(for: "aerie: detached; 'one' goes on"))
        }
        #expect(terminal.end() == 0)
        let second = try PseudoTerminal()
        try second.start(AerieProcess.executable, ["attach", "one"], environment: environment)
        // The console's latest output comes first.
        try #require(second.wait(for: "begins here"))
        second.type(Array("typed\n".utf8))
        #expect(second.wait(for: "typed kept /srv,"))
        #expect(second.end() == 7)
    }

    @Test("Ctrl-C ends sleep, and Ctrl-Z stops it until fg")
    func jobControl() throws {
        try start()
        // The programs say themselves when they have the terminal: before that, a key would be the shell's. The marks are not
        // in what is typed, which comes back as echo.
        type("mark=begins; sh -c 'echo $0 1; exec sleep 100000' $mark")
        try #require(terminal.wait(for: "begins 1"))
        terminal.type(Self.interrupt)
        type("echo ended with $?'.'")
        #expect(terminal.wait(for: "ended with 130."))
        let loop = "trap \"echo $0 again\" CONT; echo $0 2; while :; do sleep 0.1; done"
        // Not sh: dash starts programs by vfork, and a stop between that and exec holds the waiting parent for good.
        type("bash -c '\(loop)' $mark")
        try #require(terminal.wait(for: "begins 2"))
        terminal.type(Self.suspend)
        type("echo stopped with $?'.'")
        #expect(terminal.wait(for: "stopped with 148."))
        type("fg")
        #expect(terminal.wait(for: "begins again"))
        terminal.type(Self.interrupt)
        type("echo ended with $?'!'")
        #expect(terminal.wait(for: "ended with 130!"))
        powerOff()
    }

    @Test("Ctrl-C ends a command that runs instead of a shell, and its code says so")
    func interruptedCommand() throws {
        try start(DebianImage.environment, ["sh", "-c", "echo begins; exec sleep 100000"])
        try #require(terminal.wait(for: "begins"))
        terminal.type(Self.interrupt)
        #expect(terminal.end() == 130)
    }
}

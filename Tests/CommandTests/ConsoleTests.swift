import GuestToolchain
import Foundation
import Testing

@Suite("A guest on a terminal")
struct TerminalTests {
    private let aerie: AerieProcess
    private let terminal: PseudoTerminal
    private let before: [UInt32]

    init() throws {
        aerie = try AerieProcess()
        terminal = try PseudoTerminal()
        before = terminal.settings
    }

    private func start(_ program: Data, _ options: [String] = []) throws {
        let firmware = try aerie.directory.file("firmware", program)
        let arguments = ["run", "--firmware", firmware, "--memory", "16M"] + options
        try terminal.start(AerieProcess.executable, arguments, environment: aerie.environment)
    }

    /// Starts a guest that sleeps, and waits until it does, on a raw terminal.
    private func startSleeping(_ options: [String] = []) throws {
        try start(GuestProgram.sleep, options)
        #expect(terminal.wait(for: ">"))
        #expect(terminal.isRaw)
    }

    @Test("The terminal is as before after the guest has powered off")
    func normalEnd() throws {
        try start(GuestProgram.powerOff)
        #expect(terminal.end() == 0)
        #expect(terminal.settings == before)
    }

    @Test("The terminal is as before after the guest's failure, whose code is the program's")
    func failure() throws {
        try start(GuestProgram.fail42)
        #expect(terminal.end() == 42)
        #expect(terminal.settings == before)
    }

    @Test("The terminal is as before when the guest could not be started")
    func badFirmware() throws {
        try terminal.start(
            AerieProcess.executable, ["run", "--firmware", "absent"], environment: aerie.environment)
        #expect(terminal.end() == 65)
        #expect(terminal.settings == before)
    }

    @Test("What is typed reaches the guest as it is, and comes back only from there")
    func typing() throws {
        try start(GuestProgram.echo)
        #expect(terminal.wait(for: ">"))
        // Interrupt, suspend, quit, flow control, return: all are the guest's.
        terminal.type([0x03, 0x1a, 0x1c, 0x11, 0x13, 0x0d, 0x61])
        #expect(
            terminal.wait(until: { terminal.received.suffix(8) == [0x3e, 0x03, 0x1a, 0x1c, 0x11, 0x13, 0x0d, 0x61] }))
        terminal.type([0x04])
        #expect(terminal.end() == 0)
        #expect(terminal.settings == before)
    }

    @Test("Ctrl-] three times leaves, and leaving is no failure")
    func escape() throws {
        try startSleeping()
        terminal.type([0x1d, 0x1d, 0x1d])
        #expect(terminal.end() == 0)
        #expect(terminal.settings == before)
    }

    @Test(
        "A signal ends a guest that does not power off in time, with podman's code of a kill",
        arguments: [SIGTERM, SIGINT, SIGHUP])
    func signals(signal: Int32) throws {
        try startSleeping(["--stop-timeout", "0"])
        terminal.send(signal)
        #expect(terminal.end() == 137)
        #expect(terminal.settings == before)
    }

    @Test("A second signal does not wait for the time to pass")
    func secondSignal() throws {
        try startSleeping(["--stop-timeout", "86400"])
        terminal.send(SIGTERM)
        terminal.send(SIGINT)
        #expect(terminal.end() == 137)
        #expect(terminal.settings == before)
    }

    @Test(
        "A crash leaves the terminal as before, and the program dies of it",
        arguments: [SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGFPE, SIGTRAP, SIGQUIT])
    func crash(signal: Int32) throws {
        try startSleeping()
        terminal.send(signal)
        #expect(terminal.end() == -signal)
        #expect(terminal.settings == before)
    }

    @Test("A stopped program gives the terminal back, and takes it again when its shell continues it")
    func stop() throws {
        let firmware = try aerie.directory.file("firmware", GuestProgram.sleep)
        // Only a shell with job control can stop and continue a program.
        let script = "\"$0\" \"$@\"; echo has stopped; read line; fg >/dev/null; echo is over"
        let words = ["-mc", script, AerieProcess.executable, "run", "--firmware", firmware, "--memory", "16M"]
        try terminal.start("/bin/sh", words, environment: aerie.environment)
        #expect(terminal.wait(for: ">"))
        #expect(terminal.isRaw)
        try #require(terminal.sendToChild(SIGTSTP))
        #expect(terminal.wait(for: "has stopped"))
        #expect(terminal.settings == before)
        terminal.type([0x0a])
        #expect(terminal.wait(until: { terminal.isRaw }))
        terminal.type([0x1d, 0x1d, 0x1d])
        #expect(terminal.wait(for: "is over"))
        #expect(terminal.end() == 0)
        #expect(terminal.settings == before)
    }

    @Test("A signal to stop where no shell could continue changes nothing")
    func stopWithoutShell() throws {
        try startSleeping()
        terminal.send(SIGTSTP)
        terminal.send(SIGCONT)
        #expect(terminal.wait(until: { terminal.isRaw }))
        terminal.type([0x1d, 0x1d, 0x1d])
        #expect(terminal.end() == 0)
        #expect(terminal.settings == before)
    }
}

@Suite("A guest with a script for its input")
struct ScriptTests {
    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
    }

    private func run(_ program: Data, input: String, _ options: [String] = []) throws -> AerieResult {
        let firmware = try aerie.directory.file("firmware", program)
        return try aerie.run(["run", "--firmware", firmware, "--memory", "16M"] + options, input: input)
    }

    @Test("Every byte reaches the guest in order, and one end of transmission after them")
    func script() throws {
        let text = (0..<500).map { "line \($0)\n" }.joined()
        let result = try run(GuestProgram.echo, input: text)
        #expect(result.code == 0)
        #expect(result.output == ">\(text)\u{4}")
    }

    @Test("No input at all is an end of transmission")
    func noInput() throws {
        let result = try run(GuestProgram.echo, input: "")
        #expect(result.code == 0)
        #expect(result.output == ">\u{4}")
    }

    @Test("A last line without its newline gets one")
    func unfinishedLine() throws {
        let result = try run(GuestProgram.echo, input: "abc")
        #expect(result.output == ">abc\n\u{4}")
    }

    @Test("The exit code is 0 for a power-off, and the guest's own for a failure")
    func exitCodes() throws {
        #expect(try run(GuestProgram.powerOff, input: "").code == 0)
        let failure = try run(GuestProgram.fail42, input: "")
        #expect(failure.code == 42)
        #expect(failure.error == "")
    }

    @Test("A reset ends the guest when it is asked not to reboot")
    func reset() throws {
        #expect(try run(GuestProgram.reset, input: "", ["--no-reboot"]).code == 0)
    }
}

import Foundation
import GuestToolchain
import Testing

@Suite("A reader of the console that does not read", .timeLimit(.minutes(10)))
struct StalledReaderTests {
    /// Unread bytes of a pipe that is full or soon will be: it holds up to 65,536, fewer when they came in odd pieces.
    private static let pipe: Int32 = 32_768

    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
    }

    private func start(
        _ program: Data, _ options: [String] = [], by name: String = "aerie", wrapper: [String] = []
    ) throws -> RunningProgram {
        let firmware = try aerie.directory.file("firmware", program)
        let verb = name == "aerie" ? ["run"] : []
        return try RunningProgram(
            verb + ["--firmware", firmware, "--memory", "16M"] + options, on: aerie, program: name, wrapper: wrapper)
    }

    @Test("A second signal kills the guest", arguments: ["aerie", "aerie-vm"])
    func secondSignal(program: String) throws {
        let running = try start(GuestProgram.flood, ["--stop-timeout", "86400"], by: program)
        #expect(running.waitForUnread(Self.pipe))
        running.send(SIGTERM)
        running.send(SIGINT)
        #expect(running.end() == 137)
        #expect(
            running.error == "\(program): stopping the guest: killed by a second signal before it had powered off\n")
    }

    @Test("A guest that does not power off in time is killed, which is a line", arguments: ["aerie", "aerie-vm"])
    func timeout(program: String) throws {
        let running = try start(GuestProgram.flood, ["--stop-timeout", "0"], by: program)
        #expect(running.waitForUnread(Self.pipe))
        running.send(SIGTERM)
        #expect(running.end() == 137)
        #expect(
            running.error
                == "\(program): stopping the guest: killed because it did not power off within 0 s; "
                + "--stop-timeout allows more\n")
    }

    @Test("A terminal that nobody reads is given back as it was")
    func terminal() throws {
        let terminal = try PseudoTerminal()
        let before = terminal.settings
        let firmware = try aerie.directory.file("firmware", GuestProgram.flood)
        try terminal.start(
            AerieProcess.executable, ["run", "--firmware", firmware, "--memory", "16M", "--stop-timeout", "86400"],
            environment: aerie.environment)
        #expect(terminal.wait(for: "xxx"))
        // Two of the same kind could arrive as one.
        terminal.send(SIGTERM)
        terminal.send(SIGINT)
        #expect(terminal.endUnread() == 137)
        #expect(terminal.settings == before)
    }

    @Test(
        "What the guest wrote before it powered off is delivered whole when the reader comes",
        arguments: ["aerie", "aerie-vm"])
    func lateReader(program: String) throws {
        let running = try start(GuestProgram.writeAndPowerOff, by: program)
        #expect(running.waitForUnread(Self.pipe))
        #expect(running.readAll() == Data(repeating: 0x78, count: GuestProgram.writtenCount))
        #expect(running.end() == 0)
        #expect(running.error == "")
    }

    /// Starts a guest that writes more than a pipe holds, and waits until it has powered off.
    private func startAndAwaitEnd(_ options: [String] = []) throws -> RunningProgram {
        let log = aerie.directory.path("log")
        let running = try start(
            GuestProgram.writeLittleAndPowerOff, ["--log-level", "info", "--log-file", log] + options)
        var hasEnded = false
        for _ in 0..<12_000 where !hasEnded {
            usleep(5000)
            hasEnded = (try? String(contentsOfFile: log, encoding: .utf8))?.contains("the guest powered off") ?? false
        }
        #expect(hasEnded)
        return running
    }

    @Test("The output of an ended guest waits for its reader")
    func readerAfterTheEnd() throws {
        let running = try startAndAwaitEnd()
        #expect(running.readAll() == Data(repeating: 0x78, count: GuestProgram.littleCount))
        #expect(running.end() == 0)
        #expect(running.error == "")
    }

    @Test("The wait for the reader of an ended guest ends with a signal, and lost output is an error")
    func noReader() throws {
        let running = try startAndAwaitEnd(["--stop-timeout", "0"])
        running.send(SIGTERM)
        #expect(running.end() == 74)
        #expect(running.error.hasPrefix("aerie: the guest's console on standard output: nobody read the last "))
    }
}

@Suite("What a process inherits", .timeLimit(.minutes(10)))
struct InheritanceTests {
    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
    }

    /// Runs a program in a shell after its words.
    private func run(
        _ words: String, _ arguments: [String], program: String = "aerie"
    ) throws -> AerieResult {
        try aerie.run(arguments, program: program, wrapper: ["/bin/sh", "-c", "\(words); exec \"$@\"", "sh"])
    }

    private func guest(_ program: String) throws -> [String] {
        let firmware = try aerie.directory.file("firmware", GuestProgram.writeLittleAndPowerOff)
        return (program == "aerie" ? ["run"] : []) + ["--firmware", firmware, "--memory", "16M"]
    }

    @Test(
        "With standard descriptors closed, the guest runs and its output goes nowhere",
        arguments: ["aerie", "aerie-vm"], ["exec >&-", "exec <&- >&-", "exec <&- >&- 2>&-"])
    func closedDescriptors(program: String, closing: String) throws {
        let result = try run(closing, try guest(program), program: program)
        #expect(result.code == 0)
        #expect(result.output == "")
        #expect(result.error == "")
    }

    @Test("Output that a full disk does not take is a line and a code", arguments: ["aerie", "aerie-vm"])
    func fullDisk(program: String) throws {
        let result = try run("exec >/dev/full", try guest(program), program: program)
        #expect(result.code == 74)
        #expect(
            result.error == "\(program): the guest's console on standard output: write: No space left on device; "
                + "the guest was told to power off; what it wrote since is lost\n")
    }

    @Test(
        "So is lost output of other verbs",
        arguments: [["--version"], ["help", "run"], ["image", "ls", "--format", "json"]])
    func fullDiskOfVerbs(arguments: [String]) throws {
        let result = try run("exec >/dev/full", arguments)
        #expect(result.code == 74)
        #expect(
            result.error
                == "aerie: standard output: write: No space left on device; the output is incomplete\n")
    }

    private func startSleeping(_ wrapper: [String] = []) throws -> RunningProgram {
        let firmware = try aerie.directory.file("firmware", GuestProgram.sleep)
        let running = try RunningProgram(
            ["run", "--firmware", firmware, "--memory", "16M", "--stop-timeout", "0"], on: aerie, wrapper: wrapper,
            environment: ["SWIFT_BACKTRACE": "enable=yes"])
        #expect(running.waitForUnread(1))
        return running
    }

    @Test("SIGQUIT ends the program without a terminal, as it ends any other")
    func quit() throws {
        let running = try startSleeping()
        running.send(SIGQUIT)
        #expect(running.end() == -SIGQUIT)
        #expect(!running.error.contains("Crash") && !running.error.contains("Thread 0"))
    }

    @Test("A signal that was blocked at the start still ends the guest", arguments: [SIGTERM, SIGINT, SIGHUP])
    func blockedSignals(signal: Int32) throws {
        let running = try startSleeping(["/usr/bin/env", "--block-signal"])
        running.send(signal)
        #expect(running.end() == 137)
    }

    @Test("A signal that was ignored at the start stays ignored")
    func ignoredSignals() throws {
        let running = try startSleeping(["/usr/bin/env", "--ignore-signal=HUP"])
        running.send(SIGHUP)
        running.send(SIGTERM)
        #expect(running.end() == 137)
    }
}

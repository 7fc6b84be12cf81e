import ControlAPI
import Foundation
import GuestToolchain
import HostSystem
import Runtime
import TestSupport
import Testing

/// The verbs that manage machines, with guests of a few instructions.
@Suite("Machines that are kept") struct MachineVerbTests {
    private let aerie: AerieProcess
    private let sleeper: String
    private let echo: String

    init() throws {
        aerie = try AerieProcess()
        sleeper = try aerie.directory.file("sleeper", GuestProgram.sleep)
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    private func run(_ arguments: String...) throws -> AerieResult { try aerie.run(arguments) }

    /// Starts a machine in the background and returns its ID.
    private func start(_ name: String, _ firmware: String, _ options: [String] = []) throws -> String {
        let result = try aerie.run(
            ["run", "--detach", "--name", name, "--firmware", firmware, "--memory", "16M"] + options)
        try #require(result.code == 0, "\(result.error)")
        return result.output.trimmingCharacters(in: .newlines)
    }

    private var state: StateDirectory {
        StateDirectory(path: "\(aerie.directory.url.path)/.local/state/aerie/machines")
    }

    private func status(_ name: String) throws -> MachineStatus { try state.find(name).status }

    @Test("One is started, listed, paused, resumed, stopped, started again and removed by its name")
    func life() throws {
        let id = try start("one", sleeper)
        #expect(MachineNames.isID(id))
        #expect(try status("one").state == .running)
        let list = try run("ps")
        #expect(list.output.contains(id) && list.output.contains("one") && list.output.contains("Up "))
        #expect(try run("pause", "one").output == "one\n")
        #expect(try Patience.wait { try status("one").state == .paused })
        #expect(try run("ps").output.contains("(paused)"))
        #expect(try run("pause", "one").code == 64)
        #expect(try run("resume", String(id.prefix(6))).code == 0)
        #expect(try Patience.wait { try status("one").state == .running })
        // This guest hears nothing: it has to be killed.
        #expect(try run("stop", "--time", "0", "one").code == 0)
        #expect(try status("one").exitCode == 137)
        #expect(try run("ps").output.contains(id) == false)
        #expect(try run("ps", "--all").output.contains("Exited (137)"))
        #expect(try run("start", "one").code == 0)
        #expect(try run("start", "one").code == 0)
        let refused = try run("rm", "one")
        #expect(refused.code == 64)
        #expect(refused.error.contains("it is running"))
        #expect(try run("rename", "one", "two").code == 0)
        #expect(try run("rm", "--force", "two").code == 0)
        #expect(state.machines().isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: state.path) == [".lock"])
    }

    @Test("The end of a machine is reported, also if it comes before anybody has read the answer to its start")
    func endAtOnce() throws {
        #expect(try run("create", "--name", "one", "--firmware", sleeper, "--memory", "16M").code == 0)
        let lines =
            ControlAnswer.result(.object([:])).line(0) + ControlAnswer.result(.object(["code": JSONValue(3)])).line(0)
        let words = try aerie.directory.file("lines", lines)
        let program = try aerie.directory.file("aerie-vm", Array("#!/bin/sh\nexec cat '\(words)' >&3\n".utf8))
        chmod(program, 0o755)
        let attendance = try MachineProgram(embedded: program).startAttended(try state.find("one"), lease: -1)
        #expect(attendance.readEnd()?["code"]?.integer == 3)
    }

    @Test("Its console can be attached to, and is kept in a log")
    func console() throws {
        _ = try start("talker", echo)
        #expect(try Patience.wait { try run("logs", "talker").output.hasPrefix(">") })
        // The end of the input does not end the console: what is typed last switches the guest off.
        let attached = try aerie.run(["attach", "talker"], input: "hello\n\u{4}")
        #expect(attached.code == 0)
        #expect(attached.output == ">hello\n\u{4}")
        #expect(try run("wait", "talker").output == "0\n")
        #expect(try run("logs", "talker").output == ">hello\n\u{4}")
        let lines = try run("logs", "--timestamps", "--tail", "2", "talker").output.split(separator: "\n")
        #expect(lines.last?.hasSuffix("Z \u{4}") == true, "\(lines)")
    }

    @Test("A terminal detaches with Ctrl-P Ctrl-Q, and the machine goes on")
    func detaching() throws {
        _ = try start("talker", echo)
        let terminal = try PseudoTerminal()
        try terminal.start(AerieProcess.executable, ["attach", "talker"], environment: aerie.environment)
        try #require(terminal.wait(for: ">"))
        terminal.type(Array("x\u{10}y".utf8))
        // The guest gets a Ctrl-P that another key follows.
        try #require(terminal.wait(for: "x\u{10}y"))
        #expect(terminal.isRaw)
        terminal.type([0x10, 0x11])
        #expect(terminal.end() == 0)
        #expect(!terminal.isRaw)
        #expect(try status("talker").state == .running)
        #expect(try run("kill", "talker").code == 0)
        #expect(try run("kill", "talker").code == 64)
    }

    @Test("A terminal detaches with keys of the user's choice, and the usual ones are the guest's then")
    func chosenKeys() throws {
        _ = try start("talker", echo)
        defer { _ = try? run("rm", "--force", "talker") }
        let terminal = try PseudoTerminal()
        try terminal.start(
            AerieProcess.executable, ["attach", "--detach-keys", "ctrl-a,x", "talker"], environment: aerie.environment)
        try #require(terminal.wait(for: ">"))
        #expect(terminal.wait(for: "Ctrl-A x detaches"))
        terminal.type([0x10, 0x11])
        try #require(terminal.wait(for: "\u{10}\u{11}"))
        terminal.type(Array("\u{1}x".utf8))
        #expect(terminal.end() == 0)
        #expect(try status("talker").state == .running)
        let wrong = try run("attach", "--detach-keys", "ctrl-1", "talker")
        #expect(wrong.code == 64)
        #expect(wrong.error.hasPrefix("aerie: --detach-keys: 'ctrl-1' is not a valid sequence of keys"))
    }

    @Test("The exit code is kept, --rm removes the machine, and a failed start leaves its reason")
    func ends() throws {
        let fails = try aerie.directory.file("fails", GuestProgram.fail42)
        _ = try start("failing", fails)
        #expect(try run("wait", "failing").output == "42\n")
        _ = try start("gone", sleeper, ["--rm"])
        #expect(try run("kill", "gone").code == 0)
        #expect(try run("inspect", "gone").code == 64)
        let missing = try run("run", "--detach", "--name", "missing", "--kernel", "absent")
        #expect(missing.code == 65)
        #expect(missing.error.contains("absent"), "\(missing.error)")
    }

    @Test("A machine ends with its monitor, the monitor's death is no running machine, and a new start works")
    func crashes() throws {
        _ = try start("victim", sleeper)
        let before = try status("victim")
        kill(before.monitor, SIGKILL)
        #expect(try Patience.wait { try !state.find("victim").isRunning })
        let after = try status("victim")
        #expect(after.state == .exited)
        #expect(after.exitCode == 137)
        #expect(after.error?.contains("killed") == true)
        #expect(try run("start", "victim").code == 0)
        kill(try status("victim").process, SIGKILL)
        #expect(try run("wait", "victim").output == "137\n")
        #expect(try status("victim").error?.contains("signal 9") == true)
    }

    @Test("The restart policy starts a machine that failed again, and a stop ends that")
    func restarts() throws {
        let fails = try aerie.directory.file("fails", GuestProgram.fail42)
        _ = try start("limited", fails, ["--restart", "on-failure:2"])
        #expect(try run("wait", "limited").output == "42\n")
        #expect(try status("limited").restarts == 2)
        _ = try start("endless", fails, ["--restart", "always"])
        #expect(try Patience.wait { try status("endless").restarts >= 1 })
        #expect(try run("stop", "endless").code == 0)
        #expect(try status("endless").state == .exited)
        #expect(try run("run", "--rm", "--restart", "always", "--firmware", sleeper).code == 64)
        #expect(try run("run", "--restart", "perhaps", "--firmware", sleeper).code == 64)
    }

    @Test("A machine whose process does nothing any more is killed, and its policy does not start it again")
    func silence() throws {
        _ = try start("one", sleeper, ["--restart", "always"])
        #expect(kill(try status("one").process, SIGSTOP) == 0)
        #expect(try run("rm", "--force", "one").code == 0)
        #expect(try run("ps", "--all").output.contains("one") == false)
    }

    @Test("Fifty commands at once on ten machines leave each machine in a state that one of them led to")
    func concurrency() throws {
        for number in 0..<10 { _ = try start("m\(number)", sleeper) }
        let environment = ["HOME": aerie.directory.url.path]
        let results = Monitor<[(words: [String], result: AerieResult)]>([])
        let threads = try (0..<50).map { number in
            let verb = [["pause"], ["resume"], ["stop", "--time", "0"], ["start"], ["inspect"]][number % 5]
            let words = verb + ["m\(number % 10)"]
            // Each has files of its own for its output.
            let own = try AerieProcess()
            return try HostThread(name: "client") {
                guard let result = try? own.run(words, environment: environment) else { return }
                results.update { $0.append((words, result)) }
            }
        }
        for thread in threads { thread.join() }
        let found = results.withLock { $0 }
        #expect(found.count == 50)
        for (words, result) in found { #expect([0, 64, 74].contains(result.code), "\(words): \(result.error)") }
        for number in 0..<10 {
            let state = try status("m\(number)").state
            #expect([.running, .paused, .exited].contains(state), "m\(number) is \(state)")
            #expect(try run("rm", "--force", "m\(number)").code == 0)
        }
        #expect(state.machines().isEmpty)
    }

    @Test("Two machines do not get one name, names are checked, and what a killed process left is removed")
    func names() throws {
        _ = try start("taken", sleeper)
        let second = try run("run", "--detach", "--name", "taken", "--firmware", sleeper)
        #expect(second.code == 64)
        #expect(second.error.contains("there is one already"))
        for name in ["", "-a", "a/b", "..", "0123456789ab", String(repeating: "x", count: 64)] {
            #expect(try run("create", "--name=\(name)", "--firmware", sleeper).code == 64, "\(name)")
        }
        let left = "\(state.path)/.new-0123456789ab"
        try FileManager.default.createDirectory(atPath: "\(left)/deep/er", withIntermediateDirectories: true)
        #expect(try run("create", "--name", "fresh", "--firmware", sleeper).code == 0)
        #expect(!FileManager.default.fileExists(atPath: left))
        #expect(try run("ps", "--all", "--filter", "state=created", "--quiet").output.count == 13)
        #expect(try run("rm", "--force", "taken", "fresh").code == 0)
    }

    @Test("A record of another version is one clear line, and the others are listed")
    func otherVersion() throws {
        _ = try start("sound", sleeper, ["--rm"])
        let old = "\(state.path)/00000000000a"
        try FileManager.default.createDirectory(atPath: old, withIntermediateDirectories: true)
        try Data("{\"version\": 9}".utf8).write(to: URL(filePath: "\(old)/machine.json"))
        #expect(try run("ps").output.contains("sound"))
        let refused = try run("start", "00000000000a")
        #expect(refused.code == 65)
        #expect(refused.error.contains("its record has version 9"), "\(refused.error)")
        #expect(try run("kill", "sound").code == 0)
    }

    @Test("The copy of a machine's directory is no machine, and is told as what it is")
    func copiedDirectory() throws {
        #expect(try run("create", "--name", "one", "--firmware", sleeper, "--memory", "16M").code == 0)
        let one = try state.find("one")
        let copy = "0123456789ab"
        try FileManager.default.copyItem(atPath: one.directory, toPath: "\(state.path)/\(copy)")
        #expect(state.machines().map(\.record.id) == [one.record.id])
        let removed = try run("rm", copy)
        #expect(removed.code == 65)
        #expect(removed.error.contains("its directory is a copy of that of machine \(one.record.id)"))
        #expect(try run("rm", "one").code == 0)
    }

    @Test("A state directory that cannot be made is one clear line")
    func unwritable() throws {
        let file = try aerie.directory.file("file", Data())
        let result = try aerie.run(["run", "--firmware", sleeper], environment: ["XDG_STATE_HOME": "\(file)/state"])
        #expect(result.code == 69)
        #expect(result.error.contains("cannot be made"), "\(result.error)")
        #expect(result.error.split(separator: "\n").count == 1)
    }
}

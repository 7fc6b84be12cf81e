import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// The verbs of snapshots, with guests of a few instructions.
@Suite("Snapshots of machines") struct SnapshotVerbTests: EchoSuite {
    let aerie: AerieProcess
    let echo: String

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    private func machine(_ name: String) throws -> Machine {
        try directory().find(name)
    }

    private var store: SnapshotStore {
        get throws { SnapshotStore(beside: try directory()) }
    }

    @Test(
        "A machine is saved while it runs, goes on, and new machines go on from there, also when the snapshot is gone")
    func life() throws {
        try start("one")
        defer { remove("one", "two", "three") }
        #expect(try echoes("one", "a") == "a")
        #expect(try run("snapshot", "create", "one").output == "one-1\n")
        #expect(try run("snapshot", "create", "one", "named").output == "named\n")
        #expect(try run("ps").output.contains("(paused)") == false)
        #expect(try echoes("one", "b") == "b")

        let list = try run("snapshot", "ls").output
        #expect(list.contains("one-1") && list.contains("named") && list.contains("memory and disk"))
        #expect(try run("snapshot", "check", "one-1", "named").output == "one-1\nnamed\n")
        #expect(try run("snapshot", "inspect", "named").output.contains("\"memory\""))
        #expect(try run("restore", "named", "--name", "two").code == 0)
        // It does not greet again: it goes on where it was.
        #expect(try echoes("two", "c") == "c")
        #expect(try run("snapshot", "rm", "named", "one-1").output == "named\none-1\n")
        #expect(try run("snapshot", "ls", "--quiet").output == "")
        #expect(try echoes("two", "d") == "d")

        #expect(try run("snapshot", "create", "two", "again").code == 0)
        #expect(try run("restore", "again", "--name", "three").code == 0)
        #expect(try echoes("three", "e") == "e")
        // The next start is an ordinary one: the guest greets.
        #expect(try run("restart", "--time", "0", "three").code == 0)
        #expect(Patience.wait { (try? run("logs", "three").output)?.hasSuffix(">") ?? false })
    }

    @Test("A machine's copies run beside it under names of their own")
    func fork() throws {
        try start("parent")
        defer { remove("parent", "parent-1", "kid-1", "kid-3", "kid-2", "kid-1-1") }
        #expect(try run("fork", "parent").output == "parent-1\n")
        #expect(try run("fork", "parent", "--count", "2", "--name", "kid").output == "kid-1\nkid-2\n")
        #expect(try run("rm", "--force", "kid-1").code == 0)
        #expect(try run("fork", "parent", "--count", "2", "--name", "kid").output == "kid-1\nkid-3\n")
        #expect(try run("fork", "kid-1").output == "kid-1-1\n")
        for name in ["parent", "parent-1", "kid-1", "kid-2", "kid-3", "kid-1-1"] {
            #expect(try echoes(name, "x") == "x")
        }
        #expect(try run("snapshot", "ls", "--quiet").output == "")
        #expect(try run("stop", "--time", "0", "parent").code == 0)
        let refused = try run("fork", "parent")
        #expect(refused.code == 64)
        #expect(
            refused.error
                == "aerie: forking machine 'parent': it is not running; start it with 'aerie start parent'\n")
    }

    @Test(
        "A copy runs only when it is somebody else: killed at any moment, fork and restore leave none that is not",
        arguments: ["fork", "restore"])
    func orphans(verb: String) throws {
        try start("parent")
        #expect(try run("snapshot", "create", "parent", "saved").code == 0)
        defer {
            let all = (try? directory().machines().map(\.record.name)) ?? []
            _ = try? aerie.run(["rm", "--force"] + all)
        }
        for round in 0..<25 {
            let words = verb == "fork" ? ["fork", "parent", "--name", "r\(round)"] : ["restore", "saved"]
            let program = try RunningProgram(words, on: aerie)
            // Any moment will do; the later ones are after its end.
            usleep(UInt32(5000 + 4000 * round))
            program.send(SIGKILL)
            _ = program.end()
            func isInOrder(_ machine: Machine) -> Bool {
                let isMarked = access(machine.file(Machine.savedIdentityName), F_OK) == 0
                return isMarked ? machine.status.state == .created && !machine.isRunning : machine.isRunning
            }
            let machines = try directory()
            #expect(Patience.wait { machines.machines().allSatisfy(isInOrder) }, "round \(round)")
            #expect(try echoes("parent", "x") == "x")
        }
    }

    @Test(
        "Nobody can change the memory and the code that a machine and its copies share",
        .enabled("only root sees the files of a jailed process") { getuid() == 0 })
    func sealedFork() throws {
        try start("parent")
        defer { remove("parent", "kid-1", "kid-2", "kid-1-1") }
        #expect(try run("fork", "parent", "--count", "2", "--name", "kid").code == 0)
        #expect(try run("fork", "kid-1").code == 0)
        // What the copies have begun with: sealed memory files of other processes, so that they are only in their mappings.
        for name in ["kid-1", "kid-2", "kid-1-1"] {
            #expect(try sharedMappings(of: name).contains { $0.contains("guest-memory") }, "\(name)")
            #expect(try seals(in: name).filter { $0.value & 8 == 0 }.keys.sorted() == ["code-cache"], "\(name)")
        }
        // The parent's own, that it has frozen.
        #expect(try seals(in: "parent")["guest-memory"].map { $0 & 8 } == 8)
    }

    /// The lines of /proc/PID/maps with private mappings of memory files.
    private func sharedMappings(of name: String) throws -> [String] {
        let maps = try String(contentsOfFile: "/proc/\(machine(name).status.process)/maps", encoding: .utf8)
        return maps.split(separator: "\n").map(String.init).filter { $0.contains(" rw-p ") && $0.contains("/memfd:") }
    }

    /// By the names of a machine's memory files, of those with one name of one that has the fewest: F_SEAL_WRITE is 8.
    private func seals(in name: String) throws -> [String: Int32] {
        let directory = "/proc/\(try machine(name).status.process)/fd"
        var result: [String: Int32] = [:]
        for number in try FileManager.default.contentsOfDirectory(atPath: directory) {
            let path = "\(directory)/\(number)"
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path),
                target.hasPrefix("/memfd:")
            else { continue }
            let file = open(path, O_RDONLY)
            defer { close(file) }
            let key = String(target.dropFirst(7).prefix { $0 != " " })
            // F_GET_SEALS
            let seals = fcntl(file, 1034)
            if file >= 0, let size = try? FileHandle(fileDescriptor: file).seekToEnd(), size > 0 {
                result[key] = min(result[key] ?? .max, seals & 8)
            }
        }
        return result
    }

    @Test(
        "A fork that is killed leaves its parent and the copies that were made, and the next one clears the rest away")
    func killedFork() throws {
        try start("parent")
        let fork = try RunningProgram(["fork", "parent", "--count", "50", "--name", "kid"], on: aerie)
        try #require(fork.waitForUnread(6))
        fork.send(SIGKILL)
        #expect(fork.end() != 0)
        let names = String(decoding: fork.readAll(), as: UTF8.self).split(separator: "\n").map(String.init)
        defer {
            let all = (try? directory().machines().map(\.record.name)) ?? []
            _ = try? aerie.run(["rm", "--force"] + all)
        }
        #expect((1..<50).contains(names.count))
        for name in ["parent"] + names { #expect(try echoes(name, "x") == "x") }
        #expect(try run("fork", "parent", "--name", "next").output == "next-1\n")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: try store.path).filter { $0.hasPrefix(".new-") } == [])
    }

    @Test("A machine with a disk of a relative path is saved and copied, in its jail")
    func relativePath() throws {
        _ = try aerie.directory.file("disk.img", [UInt8](repeating: 7, count: 1 << 20))
        try start("one", ["--disk", "disk.img,readonly"])
        defer { remove("one", "two", "copy-1") }
        #expect(try run("snapshot", "create", "one", "saved").output == "saved\n")
        let restored = try run("restore", "saved", "--name", "two")
        #expect(restored.code == 0, "\(restored.error)")
        let fork = try run("fork", "one", "--name", "copy")
        #expect(fork.output == "copy-1\n", "\(fork.error)")
        for name in ["one", "two", "copy-1"] { #expect(try echoes(name, "x") == "x") }
    }

    @Test("A paused machine stays paused, and one that does not run has a snapshot of its disks")
    func otherStates() throws {
        try start("one")
        defer { remove("one", "two", "three") }
        #expect(try run("pause", "one").code == 0)
        #expect(try run("snapshot", "create", "one", "paused").code == 0)
        #expect(Patience.wait { (try? machine("one").status.state) == .paused })
        #expect(try run("stop", "--time", "0", "one").code == 0)
        #expect(try run("snapshot", "create", "one", "stopped").code == 0)
        #expect(try store.find("paused").record.hasState)
        #expect(try !store.find("stopped").record.hasState)
        #expect(try run("restore", "stopped", "--name", "two").code == 0)
        // It boots.
        #expect(Patience.wait { (try? run("logs", "two").output) == ">" })
    }

    @Test("A program that goes away while it saves a machine lets it go on")
    func lostClient() throws {
        try start("one")
        defer { remove("one") }
        func save() throws -> JSONValue {
            let client = try ControlClient(try machine("one"))
            let files = ["state", "memory"].map { name in
                open(aerie.directory.path(name), O_RDWR | O_CREAT | O_TRUNC, 0o600)
            }
            defer { for file in files { close(file) } }
            let answer = try client.call(.save, files: files)
            #expect(Patience.wait { (try? machine("one").status.state) == .paused })
            return answer
        }
        #expect(try save()["wasRunning"] == .boolean(true))
        #expect(Patience.wait { (try? machine("one").status.state) == .running })
        #expect(try echoes("one", "z") == "z")
        let client = try ControlClient(try machine("one"))
        #expect(throws: (any Error).self) { try client.call(.save) }
    }

    @Test("The copy of a snapshot's directory is no snapshot, and is told as what it is")
    func copiedDirectory() throws {
        try start("one")
        defer { remove("one") }
        #expect(try run("snapshot", "create", "one", "s").code == 0)
        let snapshot = try store.find("s")
        let copy = "0123456789ab"
        try FileManager.default.copyItem(
            atPath: snapshot.directory, toPath: snapshot.directory.replacing(snapshot.record.id, with: copy))
        #expect(try run("snapshot", "ls", "--format", "json").code == 0)
        let removed = try run("snapshot", "rm", copy)
        #expect(removed.code == 65)
        #expect(removed.error.contains("its directory is a copy of that of snapshot \(snapshot.record.id)"))
        #expect(try store.find("s").record.id == snapshot.record.id)
    }

    @Test("A snapshot that was altered or cut off, and wrong names, are refused in one line, and nothing is left")
    func refusals() throws {
        try start("one")
        defer { remove("one", "two") }
        #expect(try run("snapshot", "create", "one", "s").code == 0)
        let snapshot = try store.find("s")
        let memory = try FileHandle(forUpdating: URL(filePath: snapshot.file(Snapshot.memoryName)))
        try memory.seek(toOffset: 3 << 20)
        try memory.write(contentsOf: Data([1]))
        let lines = [
            (
                ["restore", "s", "--name", "two"], 65,
                "snapshot 's': the block of 64K at offset 3145728 has other contents than those saved; remove the snapshot; "
                    + "it cannot be used"
            ),
            (
                ["snapshot", "check", "s"], 65,
                "snapshot 's': the block of 64K at offset 3145728 has other contents than those saved; remove the snapshot; "
                    + "it cannot be used"
            ),
            (
                ["snapshot", "create", "one", "s"], 64,
                "a snapshot named 's': there is one already; choose another name, or remove it with 'aerie snapshot rm s'"
            ),
            (
                ["restore", "absent"], 64,
                "snapshot 'absent': there is none of this name; 'aerie snapshot ls' lists them"
            ),
            (["fork", "one", "--count", "0"], 64, "--count 0: it is not a number of copies; give one from 1 to 1000"),
        ]
        for (arguments, code, line) in lines {
            let result = try aerie.run(arguments)
            #expect(result.code == Int32(code), "\(arguments)")
            #expect(result.error == "aerie: \(line)\n")
        }
        try memory.seek(toOffset: 3 << 20)
        try memory.write(contentsOf: Data([0]))
        // The file is another one by its time, and its contents are right.
        #expect(try run("restore", "s", "--name", "two").code == 0)
        #expect(try echoes("two", "k") == "k")
        try memory.truncate(atOffset: 100)
        #expect(try run("restore", "s").error.contains("it has 100 bytes instead of 16777216"))
        #expect(try run("ps", "--all", "--quiet").output.split(separator: "\n").count == 2)
        let names = try FileManager.default.contentsOfDirectory(atPath: try store.path)
        #expect(names.filter { $0 != ".lock" } == [snapshot.record.id])
    }
}

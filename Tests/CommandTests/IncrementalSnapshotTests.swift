import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// Snapshots that have only what differs from an earlier one, with guests of a few instructions.
@Suite("Incremental snapshots") struct IncrementalSnapshotTests: EchoSuite {
    let aerie: AerieProcess
    let echo: String

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    private var store: SnapshotStore {
        get throws { SnapshotStore(beside: try directory()) }
    }

    private func layers(_ name: String) throws -> [String]? {
        try store.find(name).record.layers?.map(\.name)
    }

    /// The names of the tree, with the lines before them.
    private func tree() throws -> [String] {
        let lines = try run("snapshot", "ls", "--tree").output.split(separator: "\n").dropFirst()
        return lines.map { line in
            // Before the name is an ID of 12 characters, and 2 spaces.
            let rest = line.dropFirst(14)
            let start = rest.firstIndex(where: \.isLetter) ?? rest.endIndex
            return String(rest[..<start]) + rest[start...].prefix { $0 != " " }
        }
    }

    @Test("A snapshot has what differs from the last one, restores without it, and travels whole")
    func life() throws {
        try start("one")
        defer { remove("one", "two", "three", "four", "five") }
        #expect(try run("snapshot", "create", "one", "a").code == 0)
        #expect(try echoes("one", "x") == "x")
        #expect(try run("snapshot", "create", "one", "b").code == 0)
        #expect(try run("snapshot", "create", "--full", "one", "c").code == 0)
        let usages = SnapshotUsage.of(try store.snapshots())
        #expect(usages[0].shared > 0 && usages[1].shared == usages[0].shared && usages[2].shared == 0)
        #expect(usages[0].own > 0 && usages[1].own < usages[2].own)
        #expect(try run("restore", "b", "--name", "two").code == 0)
        #expect(try run("snapshot", "create", "two", "d").code == 0)
        #expect(try run("fork", "two", "--name", "three").output == "three-1\n")
        defer { remove("three-1") }
        #expect(try run("snapshot", "create", "three-1", "e").code == 0)
        #expect(try ["a", "b", "c"].map { try layers($0) } == [nil, ["a"], nil])
        #expect(try layers("d")?.last == "a" && layers("e")?.last == "a")
        #expect(try tree() == ["a", "└─ b", "   ├─ c", "   └─ d", "      └─ e"])
        let list = try JSONSerialization.jsonObject(
            with: Data(try run("snapshot", "ls", "--format", "json").output.utf8))
        let entries = try #require(list as? [[String: Any]])
        let ids = try ["a", "b", "b", "d"].map { try store.find($0).record.id }
        #expect(entries.map { $0["parent"] as? String } == [nil] + ids)
        #expect(entries.map { $0["isIncremental"] as? Bool } == [false, true, false, true, true])
        #expect(try run("snapshot", "inspect", "b").output.contains("\"parent\" : \"\(ids[0])\""))

        let file = aerie.directory.path("e.aerie")
        #expect(try run("snapshot", "export", "e", file).code == 0)
        #expect(try run("snapshot", "rm", "a", "b").output == "a\nb\n")
        // The removed ones' files are there for those that need them, and for nobody else.
        #expect(try run("snapshot", "check", "c", "d", "e").output == "c\nd\ne\n")
        #expect(try tree() == ["c", "d", "└─ e"])
        #expect(try run("restore", "e", "--name", "four").code == 0)
        #expect(try echoes("four", "y") == "y")
        remove("one", "two", "three-1", "four")
        #expect(try run("snapshot", "rm", "c", "d", "e").code == 0)
        #expect(try run("snapshot", "import", file).output == "e\n")
        #expect(try store.find("e").record.descent == [] && layers("e") == nil)
        #expect(try run("restore", "e", "--name", "five").code == 0)
        #expect(try echoes("five", "z") == "z")
    }

    @Test("Damage to a file that snapshots share is found in each of them, with the name of the file's snapshot")
    func damage() throws {
        try start("one")
        defer { remove("one", "two") }
        for name in ["base", "next"] { #expect(try run("snapshot", "create", "one", name).code == 0) }
        let shared = try store.find("next").file(Snapshot.memoryName(1))
        let memory = try FileHandle(forUpdating: URL(filePath: shared))
        try memory.seek(toOffset: 3 << 20)
        try memory.write(contentsOf: Data([1]))
        let line = "has other contents than those saved"
        let end = "remove the snapshot; it cannot be used\n"
        #expect(
            try run("restore", "next", "--name", "two").error
                == "aerie: snapshot 'next': the block of 64K at offset 3145728 \(line), in the file of snapshot 'base'; "
                + end)
        #expect(
            try run("snapshot", "check", "base").error
                == "aerie: snapshot 'base': the block of 64K at offset 3145728 \(line); " + end)
        // Nothing is built on a damaged one.
        #expect(try run("snapshot", "create", "one", "sound").code == 0)
        #expect(try layers("sound") == nil)
        try memory.truncate(atOffset: 100)
        #expect(
            try run("restore", "next").error
                == "aerie: snapshot 'next': the memory's file of snapshot 'base' has 100 bytes instead of 16777216; "
                + end)
        #expect(try run("snapshot", "check", "sound").code == 0)

        #expect(try run("snapshot", "create", "one", "top").code == 0)
        #expect(try layers("top") == ["sound"])
        let map = try FileHandle(forUpdating: URL(filePath: try store.find("top").file(Snapshot.mapName)))
        try map.truncate(atOffset: 40)
        #expect(try run("snapshot", "check", "top").code == 65)
        #expect(try run("restore", "top", "--name", "two").error.contains("its memory cannot be read"))
        #expect(try run("ps", "--all", "--quiet").output.split(separator: "\n").count == 1)
    }

    @Test("Whenever a program is killed that makes or removes snapshots, all that there are can be used")
    func killed() throws {
        try start("one")
        defer { remove("one", "two") }
        #expect(try run("snapshot", "create", "one", "base").code == 0)
        #expect(try run("snapshot", "create", "one", "next").code == 0)
        for round in 0..<12 {
            let isRemoval = round % 3 == 2
            let oldest = try store.snapshots().first?.record.id ?? "none"
            let program = try ChildProgram(
                AerieProcess.executable,
                isRemoval ? ["snapshot", "rm", oldest] : ["snapshot", "create", "one", "s\(round)"],
                environment: aerie.environment, output: nil, error: nil)
            // Any moment will do; the later ones are after its end.
            usleep(UInt32(4000 * (round / 3 + 1) + 1500 * round))
            program.kill()
            for snapshot in try store.snapshots() { try snapshot.check() }
            #expect(Patience.wait { (try? directory().find("one").status.state) == .running })
        }
        // The next one removes what they have left.
        #expect(try run("snapshot", "create", "one", "final").code == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: try store.path)
        #expect(Set(names).subtracting([".lock"]) == Set(try store.snapshots().map(\.record.id)))
        #expect(try run("restore", "final", "--name", "two").code == 0)
        #expect(try echoes("two", "k") == "k")
    }
}

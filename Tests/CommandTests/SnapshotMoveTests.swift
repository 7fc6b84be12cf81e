import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// Snapshots that leave their host, and what `run` and `clone` make of them, with guests of a few instructions.
@Suite("Snapshots on their way") struct SnapshotMoveTests: EchoSuite {
    let aerie: AerieProcess
    let echo: String

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    private func names() throws -> [String] {
        let store = SnapshotStore(beside: try directory())
        return store.snapshots().map(\.record.name)
    }

    /// On a terminal: types a byte at the console of a guest that echoes, and leaves it.
    private func visit(_ arguments: [String]) throws -> (code: Int32, output: String) {
        let terminal = try PseudoTerminal()
        try terminal.start(AerieProcess.executable, arguments, environment: aerie.environment)
        #expect(terminal.wait { terminal.isRaw })
        terminal.type([UInt8(ascii: "k")])
        #expect(terminal.wait { terminal.received.contains(UInt8(ascii: "k")) })
        terminal.type([0x1D, 0x1D, 0x1D])
        let code = try #require(terminal.end())
        return (code, String(decoding: terminal.received, as: UTF8.self))
    }

    @Test("An exported snapshot goes on where it was imported, without the files of the host that it came from")
    func travel() throws {
        try start("one")
        defer { remove("one", "two", "three") }
        #expect(try run("snapshot", "create", "one", "s").code == 0)
        let file = aerie.directory.path("s.aerie")
        #expect(try run("snapshot", "export", "s", file).code == 0)
        #expect(
            try run("snapshot", "export", "s", file).error
                == "aerie: exporting to \(file): the file is there already; name another file\n")
        #expect(try run("snapshot", "import", file).error.contains("a snapshot named 's': there is one already"))
        #expect(try run("snapshot", "rm", "s").code == 0)
        remove("one")
        try FileManager.default.removeItem(atPath: echo)

        let archive = try Data(contentsOf: URL(filePath: file))
        #expect(archive.count < 100_000)
        for (name, bytes) in [
            ("cut", archive.dropLast(40)),
            ("changed", Data(archive.enumerated().map { $0 == archive.count / 2 ? $1 ^ 1 : $1 })),
        ] {
            let result = try aerie.run(["snapshot", "import", try aerie.directory.file(name, bytes)])
            #expect(result.code == 65 && result.error.contains(" byte "), "\(result.error)")
        }
        let store = SnapshotStore(beside: try directory()).path
        #expect(try FileManager.default.contentsOfDirectory(atPath: store) == [".lock"])

        #expect(try run("snapshot", "import", file, "--name", "t").output == "t\n")
        #expect(try run("snapshot", "check", "t").code == 0)
        #expect(try run("restore", "t", "--name", "two").code == 0)
        #expect(try visit(["attach", "two"]).code == 0)
        // A snapshot of the machine has the files as well; its next start is a boot.
        #expect(try run("snapshot", "create", "two", "u").code == 0)
        remove("two")
        #expect(try run("snapshot", "rm", "t").code == 0)
        #expect(try run("restore", "u", "--name", "three").code == 0)
        #expect(try run("restart", "--time", "0", "three").code == 0)
        #expect(Patience.wait { (try? run("logs", "three").output)?.hasSuffix(">") ?? false })
    }

    @Test("A machine on this terminal goes on from a snapshot, and leaves another one behind when it is left")
    func terminal() throws {
        try start("one")
        defer { remove("one") }
        #expect(try run("snapshot", "create", "one", "s").code == 0)
        let (code, output) = try visit(["run", "--from", "s", "--snapshot-on-exit=t"])
        #expect(code == 0)
        #expect(!output.contains(">") && output.contains("aerie: made snapshot 't'"))
        #expect(try names() == ["s", "t"])
        #expect(try visit(["run", "--from", "t"]).code == 0)
        #expect(try run("ps", "--all", "--quiet").output.split(separator: "\n").count == 1)

        // The end of the input is typed, and the guest powers off: what is left is its disk.
        let result = try aerie.run(
            [
                "run", "--snapshot-on-exit=off", "--name", "off", "--rm", "--firmware", echo, "--memory", "16M",
                "--network", "none",
            ],
            input: "x")
        #expect(result.code == 0 && result.output == ">x\u{4}", "\(result)")
        #expect(try names() == ["s", "t", "off"])
        #expect(try run("ps", "--all", "--quiet").output.split(separator: "\n").count == 1)
        let refusals = [
            (
                ["run", "--from", "s", "--memory", "1G"],
                "--from s: an image, or settings of a machine, are given, too; "
            ),
            (
                ["run", "--snapshot-on-exit", "--detach", "--firmware", echo],
                "--snapshot-on-exit: the machine runs in the background; "
            ),
            (["run", "--snapshot-on-exit=s", "--firmware", echo], "a snapshot named 's': there is one already; "),
            (["clone", "one"], "cloning machine 'one': it is running; "),
        ]
        for (arguments, line) in refusals {
            let result = try aerie.run(arguments)
            #expect(result.code == 64 && result.error.hasPrefix("aerie: \(line)"), "\(result.error)")
        }
    }

    @Test("A clone has the machine's settings and starts as a machine of its own")
    func clone() throws {
        try start("one")
        defer { remove("one", "one-1", "two") }
        #expect(try run("stop", "--time", "0", "one").code == 0)
        #expect(try run("clone", "one").output == "one-1\n")
        #expect(try run("clone", "one", "--name", "two").output == "two\n")
        #expect(try run("clone", "one", "--name", "two").code == 64)
        #expect(try run("ps", "--quiet").output == "")
        #expect(try run("start", "one", "two").code == 0)
        #expect(Patience.wait { (try? run("logs", "two").output) == ">" })
    }
}

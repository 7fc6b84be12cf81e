import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// What a jailed machine does after it has given its memory back, which takes twenty seconds without work.
@Suite("Idle machines") struct IdleMachineTests: EchoSuite {
    let aerie: AerieProcess
    let echo: String

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    @Test("A machine that was idle goes on, and so do its copies and those of its snapshots")
    func copies() throws {
        try start("one")
        defer { remove("one", "one-1", "one-2", "one-1-1", "back", "back-1") }
        // A copy that executes the code of its parent.
        #expect(try run("fork", "one").output == "one-1\n")
        for name in ["one", "one-1"] { #expect(try echoes(name, "first") == "first") }
        for name in ["one", "one-1"] { try awaitTrim(of: name) }

        #expect(try run("fork", "one", "--name", "one").output == "one-2\n")
        #expect(try run("fork", "one-1").output == "one-1-1\n")
        #expect(try run("snapshot", "create", "one", "saved").output == "saved\n")
        #expect(try run("snapshot", "create", "one-1", "saved-1").output == "saved-1\n")
        #expect(try run("restore", "saved", "--name", "back").code == 0)
        #expect(try run("restore", "saved-1", "--name", "back-1").code == 0)
        for name in ["one", "one-1", "one-2", "one-1-1", "back", "back-1"] {
            #expect(try echoes(name, "second") == "second", "\(name)")
        }
    }

    /// Waits until a machine's process has given back a quarter of its memory in the host.
    private func awaitTrim(of name: String) throws {
        let process = try directory().find(name).status.process
        let start = residentPages(of: process)
        #expect(start > 0)
        #expect(Patience.wait { residentPages(of: process) < start * 3 / 4 }, "\(name)")
    }

    private func residentPages(of process: Int32) -> UInt64 {
        let fields = try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)
        return fields.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { UInt64($0) } ?? 0
    }
}

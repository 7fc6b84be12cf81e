import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// What a jailed machine does after it has given its memory back, which takes twenty seconds without work.
@Suite(
    "Idle machines",
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct IdleMachineTests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    private func run(_ words: String...) throws -> AerieResult {
        try aerie.run(words, environment: DebianImage.environment)
    }

    @Test("A machine that was idle goes on, and so do its copies and those of its snapshots")
    func copies() throws {
        defer { _ = try? run("rm", "--force", "one", "one-1", "one-2", "one-1-1", "back", "back-1") }
        let start = try run("run", "--detach", "--name", "one", "--network", "none", "--log-level", "debug", "debian")
        try #require(start.code == 0, "\(start.error)")
        try work("one")
        // A copy that executes the code of its parent.
        #expect(try run("fork", "one").output == "one-1\n")
        for name in ["one", "one-1"] { try work(name) }
        for name in ["one", "one-1"] { #expect(Patience.wait { hasTrimmed(name) }, "\(name)") }

        #expect(try run("fork", "one").output == "one-2\n")
        #expect(try run("fork", "one-1").output == "one-1-1\n")
        #expect(try run("snapshot", "create", "one", "saved").output == "saved\n")
        #expect(try run("snapshot", "create", "one-1", "saved-1").output == "saved-1\n")
        #expect(try run("restore", "saved", "--name", "back").code == 0)
        #expect(try run("restore", "saved-1", "--name", "back-1").code == 0)
        for name in ["one", "one-1", "one-2", "one-1-1", "back", "back-1"] { try work(name) }
    }

    @Test("The processes of an idle machine have at most 8 MB of memory of their own besides the guest's")
    func memory() throws {
        defer { _ = try? run("rm", "--force", "one") }
        let start = try run(
            "run", "--detach", "--no-snapshot", "--name", "one", "--memory", "512M", "--network", "none", "--log-level",
            "debug", "debian")
        try #require(start.code == 0, "\(start.error)")
        try work("one")
        #expect(Patience.wait { hasTrimmed("one") })

        let machine = try StateDirectory(environment: aerie.environment).find("one")
        let monitor = machine.status.monitor
        let others = MachineProcesses.descendants(of: monitor)
        try #require(others.count == 2 && others.contains(machine.status.process), "\(others)")
        func held(by processes: [Int32]) throws -> HeldMemory { try HeldMemory(of: processes, guest: 512 << 20) }
        // Machines beside this one share the pages of the program, which makes the first figure smaller, but not the others.
        var (all, itsMonitor) = (try held(by: [monitor] + others), try held(by: [monitor]))
        let isLittle = try Patience.wait {
            (all, itsMonitor) = (try held(by: [monitor] + others), try held(by: [monitor]))
            return all.exclusive <= 8_000_000 && all.written <= 5_000_000 && itsMonitor.program <= 2_000_000
        }
        #expect(isLittle, "\(all); its monitor: \(itsMonitor)")
        try work("one")
    }

    /// More than a machine has to have done before it is worth while to give memory back.
    private func work(_ name: String) throws {
        let result = try run("exec", name, "sh", "-c", "seq 1 300000 | md5sum")
        #expect(result.output == "daef482d6c698625ab13d987d14e8781  -\n", "\(name): \(result.error)")
    }

    private func hasTrimmed(_ name: String) -> Bool {
        guard let machine = try? StateDirectory(environment: aerie.environment).find(name),
            let log = try? String(contentsOfFile: machine.file(Machine.logName), encoding: .utf8)
        else { return false }
        return log.contains("memory that makes it fast is given back")
    }
}

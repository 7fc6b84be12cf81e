import Aerie
import ControlAPI
import Foundation
import GuestToolchain
import HostSystem
import Runtime
import TestSupport
import Testing

/// The connection of a migration ends at the very moment of the handover, and the sender asks what has become of the machine.
@Suite("Handover of a migrated machine") struct HandoverTests: MigrationSuite {
    let aerie: AerieProcess
    let echo: String
    private var target: String { aerie.directory.path("target") }

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    @Test("A receiver whose word is lost is asked, and the machine is gone at the sender")
    func lostOutcome() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            side == .receiver && frame.kind == .outcome ? .cut : .pass
        }
        defer { relay.end() }
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code == 0 && sent.output == "one\n", "\(sent.error)")
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(relay.connections >= 2)
        #expect(try names() == [] && names(there) == ["one"])
        #expect(try echoes("one", "x", there) == "x")
    }

    @Test("Nobody lets a machine go on here while it is handed over")
    func resumed() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let (isThere, passes) = (Monitor(false), Monitor(false))
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            guard side == .receiver, frame.kind == .outcome else { return .pass }
            isThere.update { $0 = true }
            _ = passes.wait { $0 ? () : nil }
            return .pass
        }
        defer {
            passes.update { $0 = true }
            relay.end()
        }
        let sender = try RunningProgram(["migrate", "one", address], on: aerie)
        try #require(Patience.wait { isThere.withLock { $0 } })
        let refused = try aerie.run(["resume", "one"])
        #expect(refused.code == 69)
        #expect(refused.error.contains("it is being saved, or handed over to another host"), "\(refused.error)")
        #expect(state("one") == .paused)
        passes.update { $0 = true }
        #expect(sender.end() == 0 && receiver.end() == 0, "\(sender.error)\(receiver.error)")
        #expect(try names() == [] && names(there) == ["one"])
    }

    @Test("A machine that was given away, but whose receiver never heard of it, goes on at the sender")
    func lostCommit() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            side == .sender && frame.kind == .commit ? .cut : .pass
        }
        defer { relay.end() }
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code == 74)
        #expect(sent.error.contains("it has not run there; the machine goes on here; try again"), "\(sent.error)")
        #expect(receiver.end() == 74)
        #expect(try names() == ["one"] && names(there) == [])
        #expect(try echoes("one", "x") == "x")
    }

    @Test("A receiver that was killed after the handover leaves a machine of which another receiver knows")
    func killedReceiver() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let receiver = try receiver(at: target)
        let death = SingleKill(of: receiver.identifier)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            guard side == .receiver, frame.kind == .outcome else { return .pass }
            death.kill()
            return .cut
        }
        defer { relay.end() }
        let sender = try RunningProgram(["migrate", "one", address], on: aerie)
        #expect(receiver.end() == -SIGKILL)
        unlink(target)
        let other = try self.receiver(at: target)
        #expect(sender.end() == 0, "\(sender.error)")
        #expect(try names() == [] && names(there) == ["one"])
        #expect(try echoes("one", "x", there) == "x")
        // It still waits for a machine.
        #expect(kill(other.identifier, 0) == 0)
        other.send(SIGKILL)
    }

    @Test("A machine that has appeared and was never started is started for a sender that asks")
    func killedBeforeStart() throws {
        try start("one")
        defer { removeEverywhere("one") }
        #expect(try aerie.run(["migrate", "one", address]).code != 0)
        let receiver = try receiver()
        #expect(try aerie.run(["migrate", "one", address]).code == 0)
        #expect(receiver.end() == 0)
        let store = try directory(there)
        let machine = try store.find("one")
        let transfer = try String(contentsOfFile: machine.file("transfer"), encoding: .utf8)
        let ledger = TransferLedger(store)
        var starts = 0
        func fate(_ transfer: String) throws -> TransferLedger.Fate {
            try ledger.fate(of: transfer) { _ in starts += 1 }
        }
        #expect(try fate(transfer) == .here(name: "one"))
        #expect(try fate(String(repeating: "0", count: 24)) == .absent)
        #expect(try fate("../one") == .absent)
        // As after a kill of both its processes and its receiver, before the machine had run.
        #expect(try aerie.run(["kill", "one"], environment: there).code == 0)
        #expect(try fate(transfer) == .here(name: "one"))
        let status = machine.file("status.json")
        try FileManager.default.removeItem(atPath: status)
        let refused = AerieError(.notStarted, asked: "a machine", found: "the host refuses it")
        #expect(try ledger.fate(of: transfer) { _ in throw refused } == .absent)
        #expect(try names(there) == [])
        #expect(starts == 0)
    }

    @Test("A machine that was removed after it had run is not taken back by its sender")
    func removed() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let receiver = try receiver()
        #expect(try aerie.run(["migrate", "one", address]).code == 0)
        #expect(receiver.end() == 0)
        let store = try directory(there)
        let transfer = try String(contentsOfFile: store.find("one").file("transfer"), encoding: .utf8)
        #expect(try aerie.run(["rm", "--force", "one"], environment: there).code == 0)
        #expect(try TransferLedger(store).fate(of: transfer) { _ in } == .here(name: ""))
        // Another directory knows nothing of it, and says so by its identity.
        #expect(try TransferLedger(directory()).identity() != TransferLedger(store).identity())
    }
}

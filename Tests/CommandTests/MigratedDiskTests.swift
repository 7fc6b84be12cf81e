import Aerie
import ControlAPI
import Foundation
import GuestToolchain
import HostSystem
import Runtime
import TestSupport
import Testing

/// Disks that are not in the machine's directory: both sides see them, or they are sent.
///
/// The guest writes to its disk without end, reads what it has written, and compares it with a model in its memory. When a byte is typed, it
/// compares all of the disk and powers off; a difference ends it with another code.
@Suite("Migration of machines with disks outside of their directory") struct MigratedDiskTests: MigratedDiskSuite {
    let aerie: AerieProcess
    let echo: String
    let guest: String

    init() throws {
        (aerie, echo, guest) = try Self.make()
    }

    // MARK: Shared

    @Test(
        "A disk that both sides see is used where it is, and its lock goes with the machine",
        arguments: ["raw", "raw,cache=none", "qcow2", "raw,cache=unsafe"], [[], ["--post-copy", "always"]])
    func shared(format: String, options: [String]) throws {
        let disk = try makeDisk("disk", format)
        try startLoad(disk, format)
        defer { removeEverywhere("one") }
        let receiver = try receiver()
        let sent = try aerie.run(["migrate", "one", address] + options)
        #expect(sent.code == 0 && sent.output == "one\n" && sent.error == "", "\(sent.error)")
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(try names() == [] && names(there) == ["one"])
        #expect(isLocked(disk))
        try endLoad(there)
        #expect(!isLocked(disk))
        try check(disk, format)
    }

    @Test("A disk goes there and back with its machine")
    func thereAndBack() throws {
        let disk = try makeDisk("disk", "raw")
        try startLoad(disk, "raw")
        defer { removeEverywhere("one") }
        for (from, to) in [([:], there), (there, [:]), ([:], there)] {
            let receiver = try receiver(at: nil, to)
            let sent = try aerie.run(["migrate", "one", address], environment: from)
            #expect(sent.code == 0, "\(sent.error)")
            #expect(receiver.end() == 0, "\(receiver.error)")
        }
        try endLoad(there)
    }

    @Test("A machine that was not handed over goes on, and nobody else can open its disk", arguments: ["raw", "qcow2"])
    func lostCommit(format: String) throws {
        let disk = try makeDisk("disk", format)
        try startLoad(disk, format)
        defer { removeEverywhere("one") }
        let target = aerie.directory.path("target")
        let receiver = try receiver(at: target)
        let wasFree = Monitor(false)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            guard side == .sender, frame.kind == .commit else { return .pass }
            // The machine has given its disk away by now.
            let file = try? FileDescriptor(path: disk, flags: O_RDWR)
            wasFree.update { $0 = (try? file?.lock(exclusive: true)) == true }
            return .cut
        }
        defer { relay.end() }
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code == 74)
        #expect(sent.error.contains("it has not run there; the machine goes on here; try again"), "\(sent.error)")
        #expect(receiver.end() == 74)
        #expect(wasFree.withLock { $0 })
        #expect(try names() == ["one"] && names(there) == [])
        #expect(state("one") == .running && isLocked(disk))
        try endLoad([:])
        try check(disk, format)
    }

    @Test("A machine whose handover nobody knows of goes on only with its disk, unchanged, and to itself")
    func unknownHandover() throws {
        let disk = try makeDisk("disk", "raw")
        try startLoad(disk, "raw")
        defer { removeEverywhere("one") }
        let sent = try migrateToNobody()
        #expect(sent.contains("it stands still here; if it does not run there"), "\(sent)")
        #expect(!isLocked(disk))
        do {
            let file = try FileDescriptor(path: disk, flags: O_RDWR)
            #expect(try file.lock(exclusive: true))
            let refused = try aerie.run(["resume", "one"])
            #expect(refused.code == 69)
            #expect(
                refused.error.contains("its disk \(disk) was handed over to another host: in use by another program"),
                "\(refused.error)")
            #expect(state("one") == .paused)
        }
        #expect(try aerie.run(["resume", "one"]).code == 0)
        #expect(state("one") == .running && isLocked(disk))

        #expect(try migrateToNobody().contains("it stands still here"))
        let handle = try FileHandle(forUpdating: URL(filePath: disk))
        try handle.write(contentsOf: Data([1]))
        try handle.close()
        let refused = try aerie.run(["resume", "one"])
        #expect(refused.error.contains("it was changed while another process had it"), "\(refused.error)")
        #expect(state("one") == .paused)
    }

    /// Migrates to a receiver that takes everything and says no last word.
    ///
    /// - Returns: the sender's error.
    private func migrateToNobody() throws -> String {
        try withReceiver(answer: #"{"outside":["here"]}"#) { stream in
            while let (frame, _) = try? stream.receive(), frame.kind != .complete {}
            try? stream.send(.ready)
            _ = try? stream.receive(.commit)
        }
    }

    @Test("A receiver that knows nothing of such disks gets no machine that has one")
    func oldReceiver() throws {
        let disk = try makeDisk("disk", "raw")
        try startLoad(disk, "raw")
        defer { removeEverywhere("one") }
        for answer in ["{}", #"{"outside":[]}"#] {
            let error = try withReceiver(answer: answer) { _ in }
            #expect(
                error == "aerie: migrating machine 'one': it has the disk \(disk), and the receiver's version of Aerie takes no such "
                    + "disks; use this version of Aerie there, or start the machine without the disk\n", "\(error)")
        }
        try endLoad([:])
    }

    @Test("A read-only disk and a flash file have to be the same there; a flash file that is written to is not shared")
    func readOnly() throws {
        let disk = try aerie.directory.file("base", Data(repeating: 7, count: 1 << 20))
        let flash = try aerie.directory.file("flash", Data(count: 32 << 20))
        try start("one", ["--disk", "\(disk),readonly", "--flash", "\(flash),readonly"])
        defer { removeEverywhere("one", "two") }
        let receiver = try receiver()
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code == 0 && sent.error == "", "\(sent.error)")
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(try echoes("one", "x", there) == "x")

        removeEverywhere("one")
        try start("two", ["--flash", flash])
        let other = try self.receiver()
        let refused = try aerie.run(["migrate", "two", address])
        #expect(refused.code == 69)
        #expect(refused.error.contains("both hosts see its flash file \(flash)"), "\(refused.error)")
        #expect(other.end() == 74)
        #expect(try echoes("two", "x") == "x")
    }
}

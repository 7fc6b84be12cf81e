import Aerie
import ControlAPI
import Foundation
import GuestToolchain
import HostSystem
@testable import Runtime
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

    @Test("The disk of --overlay is handed over, and names the image's disk")
    func overlay() throws {
        _ = try TinyImage(for: aerie)
        let disk = "\(disks)/work.qcow2"
        try FileManager.default.createDirectory(atPath: disks, withIntermediateDirectories: true)
        let words = ["run", "--detach", "--name", "one", "--memory", "32M", "--network", "none", "--overlay", disk]
        let made = try aerie.run(words + ["tiny"])
        try #require(made.code == 0, "\(made.error)")
        defer { removeEverywhere("one") }
        let receiver = try receiver()
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code == 0 && sent.error == "", "\(sent.error)")
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(state("one", there) == .running && isLocked(disk))

        // Where the image is at another path, the disk cannot be used.
        let data = aerie.directory.path("data-there")
        try FileManager.default.copyItem(atPath: aerie.directory.path("data"), toPath: data)
        let other = try self.receiver(at: nil, ["XDG_DATA_HOME": data])
        let refused = try aerie.run(["migrate", "one", address], environment: there)
        #expect(
            refused.error.contains("its disk \(disk) is based on its image, which is in another directory here"),
            "\(refused.error)")
        #expect(other.end() == 69)
        #expect(state("one", there) == .running && isLocked(disk))
    }

    @Test("A disk that was plugged in is handed over as well")
    func pluggedIn() throws {
        let disk = try makeDisk("disk", "raw")
        try start("one", ["--transport", "pci"])
        defer { removeEverywhere("one") }
        let added = try aerie.run(["set", "one", "--add-disk", disk])
        try #require(added.code == 0, "\(added.error)")
        for (from, to) in [([:], there), (there, [:])] {
            let receiver = try receiver(at: nil, to)
            let sent = try aerie.run(["migrate", "one", address], environment: from)
            #expect(sent.code == 0, "\(sent.error)")
            #expect(receiver.end() == 0, "\(receiver.error)")
            #expect(isLocked(disk))
            #expect(try echoes("one", "x", to) == "x")
        }
    }

    @Test("Only the disks that were made for a machine are removed when it has never started")
    func removal() throws {
        func names(_ path: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        }
        let work = aerie.directory.path("work")
        for path in [work, disks] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        func arrive(_ files: [String]) throws -> ArrivedFiles {
            let list = try ArrivedFiles(files.map { "\(disks)/\($0)" })
            try list.write(in: work)
            for entry in list.entries {
                try Data([1]).write(to: URL(filePath: entry.temporary))
                #expect(link(entry.temporary, entry.path) == 0 || errno == EEXIST)
            }
            return list
        }
        // Another file has the name of the first one, and the third one was moved away by its user.
        try Data([2]).write(to: URL(filePath: "\(disks)/a"))
        var list = try arrive(["a", "b", "c"])
        #expect(rename("\(disks)/c", "\(disks)/d") == 0)
        ArrivedFiles.remove(of: work)
        #expect(try names(disks) == ["a", "d"])
        // Before there were any.
        list = try ArrivedFiles(["\(disks)/a", "\(disks)/none"])
        try list.write(in: work)
        ArrivedFiles.remove(of: work)
        #expect(try names(disks) == ["a", "d"])
        // Of a machine that has started.
        _ = try arrive(["e"])
        ArrivedFiles.keep(of: work)
        ArrivedFiles.remove(of: work)
        #expect(try names(disks) == ["a", "d", "e"] && names(work) == [])
        // Of one whose monitor was killed just then.
        _ = try arrive(["g"])
        var status = MachineStatus()
        status.started = 1
        try Data(JSONValue(encoding: status).text).write(to: URL(filePath: "\(work)/status.json"))
        ArrivedFiles.remove(of: work)
        #expect(try names(disks) == ["a", "d", "e", "g"] && names(work) == ["status.json"])
        #expect(unlink("\(work)/status.json") == 0)
        // Its guest ran before its memory was there.
        _ = try arrive(["f"])
        let mark = "\(work)/\(Machine.arrivalName)"
        try Data([Arrival.Mark.running.rawValue]).write(to: URL(filePath: mark))
        ArrivedFiles.remove(of: work)
        #expect(try names(disks) == ["a", "d", "e", "f", "g"])
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

    @Test(
        "A disk that was changed after the handover is used on neither side, and the sender says that its machine stands still",
        arguments: ["raw", "qcow2"], [[], ["--post-copy", "always"]])
    func changedBeforeStart(format: String, options: [String]) throws {
        let disk = try makeDisk("disk", format)
        try startLoad(disk, format)
        defer { removeEverywhere("one") }
        // Somebody writes to the disk when the machine was handed over, and its process is not there yet.
        let script = "#!/bin/sh\nprintf x | dd of=\(disk) bs=1 seek=999999 conv=notrunc 2>&-\nexec \"$@\"\n"
        let writer = try aerie.directory.program("writer", Data(script.utf8))
        let receiver = try receiver(wrapper: try aerie.wrapper(tracingMachinesBy: [writer]))
        let sent = try aerie.run(["migrate", "one", address] + options)
        let found = "the disk \(disk) was changed since the machine was handed over"
        #expect(sent.code == 65, "\(sent.code)")
        #expect(sent.error.contains(found), "\(sent.error)")
        #expect(sent.error.contains("it stands still here: disk image \(disk): it was changed"), "\(sent.error)")
        #expect(sent.error.hasSuffix("; the guest cannot go on with it; boot it again\n"), "\(sent.error)")
        #expect(receiver.end() == 65)
        #expect(receiver.error.contains(found), "\(receiver.error)")
        #expect(try names() == ["one"] && names(there) == [])
        #expect(state("one") == .paused && !isLocked(disk))
    }

    @Test("A receiver makes only files that a disk refers to, and takes away only files that it has made")
    func references() throws {
        let base = try makeDisk("base", "raw")
        let disk = "\(disks)/disk"
        let made = try aerie.run(["disk", "create", "\(disk),format=qcow2", "--backing", "\(base),format=raw"])
        try #require(made.code == 0, "\(made.error)")
        try start("one", ["--disk", "\(disk),format=qcow2"])
        defer { removeEverywhere("one") }
        let work = aerie.directory.path("work")
        try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
        let contents = try [UInt8](Data(contentsOf: URL(filePath: disk)))

        var offer = MigrationOffer(machine: try directory().find("one").record, memory: 16 << 20, disks: [])
        let new = "\(disks)/new"
        offer.machine.configuration.disks[0].path = new
        func file(_ path: String, isWritten: Bool) -> OutsideFile {
            OutsideFile(path: path, size: 1 << 20, node: 1, modified: 0, isWritten: isWritten)
        }
        let below = try #require(try OutsideFile(at: base, isWritten: false))
        for extra in [[], [file("\(disks)/extra", isWritten: false)]] {
            offer.outside = [file(new, isWritten: true), below] + extra
            let arriving = try ArrivingFiles(offer, besides: aerie.directory.path("there"), isImageElsewhere: false)
            #expect(arriving.places == [.copied, .here] + extra.map { _ in .copied })
            let copies = try arriving.make(in: work)
            defer { copies.forEach { $0.disappear() } }
            #expect(pwrite(copies[0].contents.descriptor, contents, contents.count, 0) == contents.count)
            if extra.isEmpty {
                try arriving.requireBases(copies, of: offer)
                try copies[0].appear()
                #expect(try [UInt8](Data(contentsOf: URL(filePath: new))) == contents)
                copies[0].disappear()
                #expect(try FileManager.default.contentsOfDirectory(atPath: disks).sorted() == ["base", "disk"])
                try Data([1]).write(to: URL(filePath: new))
                copies[0].disappear()
                #expect(unlink(new) == 0)
            } else {
                #expect(throws: AerieError.self) { try arriving.requireBases(copies, of: offer) }
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: disks).sorted() == ["base", "disk"])
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
                error
                    == "aerie: migrating machine 'one': it has the disk \(disk), and the receiver's version of Aerie takes no such "
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

import Aerie
import ControlAPI
import CSockets
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// Disks that the receiver's host does not have: a mount namespace stands in for it.
@Suite(
    "Migration of machines with disks that are sent",
    .enabled("needs root and mount namespaces") { OtherView.canMount })
struct CopiedDiskTests: MigratedDiskSuite {
    let aerie: AerieProcess
    let echo: String
    let guest: String

    init() throws {
        (aerie, echo, guest) = try Self.make()
    }

    private var arrived: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: others)) ?? []).sorted() }

    @Test(
        "A disk that the receiver lacks goes with the machine while the guest writes to it, and stays at the sender",
        arguments: ["raw", "raw,cache=none", "qcow2"], [[], ["--post-copy", "always"]])
    func copied(format: String, options: [String]) throws {
        let disk = try makeDisk("disk", format)
        try startLoad(disk, format)
        defer { removeEverywhere("one") }
        let receiver = try otherReceiver()
        let sent = try aerie.run(["migrate", "one", address] + options)
        #expect(sent.code == 0 && sent.output == "one\n", "\(sent.error)")
        #expect(
            sent.error == "aerie: disk \(disk) was copied there, and stays here; remove it when it is of no more use\n")
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(try names() == [] && names(there) == ["one"])
        #expect(arrived == ["disk"])
        #expect(isLocked("\(others)/disk") && !isLocked(disk))
        try endLoad(there)
        #expect(!isLocked("\(others)/disk"))
        for path in [disk, "\(others)/disk"] { try check(path, format) }
        // The machine goes, the user's disk stays.
        #expect(try aerie.run(["rm", "one"], environment: there).code == 0)
        #expect(arrived == ["disk"])
    }

    @Test("What a disk is based on goes as well, and a read-only disk")
    func chain() throws {
        let base = try makeDisk("base", "raw")
        let disk = "\(disks)/disk"
        let made = try aerie.run(["disk", "create", "\(disk),format=qcow2", "--backing", "\(base),format=raw"])
        try #require(made.code == 0, "\(made.error)")
        let other = try makeDisk("other", "raw")
        try startLoad(disk, "qcow2", ["--disk", "\(other),format=raw,readonly"])
        defer { removeEverywhere("one") }
        let receiver = try otherReceiver()
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code == 0, "\(sent.error)")
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(arrived == ["base", "disk", "other"])
        try endLoad(there)
        for name in ["base", "other"] {
            let (here, there) = ("\(disks)/\(name)", "\(others)/\(name)")
            #expect(FileManager.default.contentsEqual(atPath: here, andPath: there))
        }
        try check("\(others)/disk", "qcow2")
    }

    @Test("A flash file that the guest writes to is sent")
    func flash() throws {
        try FileManager.default.createDirectory(atPath: disks, withIntermediateDirectories: true)
        let flash = "\(disks)/flash"
        var contents = Data(repeating: 0xFF, count: 32 << 20)
        contents[5] = 7
        try contents.write(to: URL(filePath: flash))
        let program = try Toolchain.build(["runtime.S", "guest.c", "flash_kept.c"], flags: ["-DHARTS=1"])
        let guest = try aerie.directory.file("flash-guest", Data(program))
        let words = ["run", "--detach", "--name", "one", "--firmware", guest, "--memory", "16M", "--network", "none"]
        let made = try aerie.run(words + ["--flash", flash])
        try #require(made.code == 0, "\(made.error)")
        #expect(try received("one", 1, recent: true) == ".")
        defer { removeEverywhere("one") }
        let receiver = try otherReceiver()
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code == 0, "\(sent.error)")
        #expect(receiver.end() == 0, "\(receiver.error)")
        #expect(FileManager.default.contentsEqual(atPath: flash, andPath: "\(others)/flash"))
        try endLoad(there)
        contents.replaceSubrange(64..<68, with: [0x78, 0x56, 0x34, 0x12])
        #expect(try Data(contentsOf: URL(filePath: flash)) == contents)
        contents.replaceSubrange(68..<72, with: [0x0D, 0x60, 0x0D, 0x60])
        #expect(try Data(contentsOf: URL(filePath: "\(others)/flash")) == contents)
    }

    @Test("Another file at the disk's path is not touched, and the machine goes on where it was")
    func otherFile() throws {
        let disk = try makeDisk("disk", "raw")
        try FileManager.default.createDirectory(atPath: others, withIntermediateDirectories: true)
        let contents = Data(repeating: 9, count: 1 << 20)
        try contents.write(to: URL(filePath: "\(others)/disk"))
        try startLoad(disk, "raw")
        defer { removeEverywhere("one") }
        let receiver = try otherReceiver()
        let refused = try aerie.run(["migrate", "one", address])
        let line =
            "aerie: machine 'one': another file than its disk is at \(disk) on the receiver's host; move that file away; the machine's disk "
            + "is sent then\n"
        #expect(refused.code == 69 && refused.error == line, "\(refused.error)")
        #expect(receiver.end() == 69 && receiver.error == line)
        #expect(try Data(contentsOf: URL(filePath: "\(others)/disk")) == contents)
        try endLoad([:])
    }

    @Test("A file that appears at the disk's path meanwhile is not touched either")
    func appearing() throws {
        let disk = try makeDisk("disk", "raw")
        try startLoad(disk, "raw")
        defer { removeEverywhere("one") }
        let target = aerie.directory.path("target")
        let receiver = try otherReceiver(at: target)
        let other = "\(others)/disk"
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            if side == .sender, frame.kind == .commit { try? Data([1]).write(to: URL(filePath: other)) }
            return .pass
        }
        defer { relay.end() }
        let refused = try aerie.run(["migrate", "one", address])
        #expect(refused.error.contains("a file has appeared at the path of its disk \(disk)"), "\(refused.error)")
        #expect(receiver.end() > 0)
        #expect(arrived == ["disk"])
        #expect(try Data(contentsOf: URL(filePath: other)) == Data([1]))
        #expect(state("one") == .running && isLocked(disk))
        try endLoad([:])
    }

    @Test("A full file system at the receiver leaves the machine running where it was")
    func full() throws {
        let disk = try makeDisk("disk", "raw")
        try startLoad(disk, "raw")
        defer { removeEverywhere("one") }
        let receiver = try otherReceiver(size: "256k")
        let refused = try aerie.run(["migrate", "one", address])
        #expect(refused.code == 69)
        #expect(
            refused.error.hasPrefix("aerie: writing the disk \(disk) on the receiver's host: ")
                && refused.error.hasSuffix("; make room there, or keep the disk where both hosts see it\n"),
            "\(refused.error)")
        #expect(receiver.end() == 69)
        #expect(try names(there) == [])
        try endLoad([:])
    }

    @Test("A receiver that is killed while the disk comes leaves nothing")
    func killedReceiver() throws {
        let disk = try makeDisk("disk", "raw")
        try startLoad(disk, "raw")
        defer { removeEverywhere("one") }
        let target = aerie.directory.path("target")
        let receiver = try otherReceiver(at: target)
        let death = SingleKill(of: receiver.identifier)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            guard side == .sender, frame.file == TransferredFile.memory else { return .pass }
            death.kill()
            return .cut
        }
        defer { relay.end() }
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code != 0)
        #expect(receiver.end() == -SIGKILL)
        #expect(arrived == [])
        #expect(try names() == ["one"] && names(there) == [])
        try endLoad([:])
    }

    @Test("A machine that was given away, but whose receiver never heard of it, leaves no disk there")
    func lostCommit() throws {
        let disk = try makeDisk("disk", "raw")
        try startLoad(disk, "raw")
        defer { removeEverywhere("one") }
        let target = aerie.directory.path("target")
        let receiver = try otherReceiver(at: target)
        let relay = try FrameRelay(at: socket, to: target) { side, frame in
            side == .sender && frame.kind == .commit ? .cut : .pass
        }
        defer { relay.end() }
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.error.contains("the machine goes on here"), "\(sent.error)")
        #expect(receiver.end() == 74)
        #expect(arrived == [])
        try endLoad([:])
    }

    @Test("An offer's paths are checked, and a file that nobody has locked is not the sender's")
    func hostilePaths() throws {
        let disk = try makeDisk("disk", "raw")
        try start("one", ["--disk", disk])
        defer { removeEverywhere("one") }
        let record = try directory().find("one").record
        let free = try makeDisk("free", "raw")
        var status = stat()
        try #require(stat(free, &status) == 0)
        let state = "\(aerie.directory.path("there"))/aerie"
        let odd = aerie.directory.path("odd")
        try FileManager.default.createDirectory(atPath: odd, withIntermediateDirectories: true)
        #expect(mkfifo("\(odd)/pipe", 0o600) == 0 && symlink(free, "\(odd)/link") == 0)
        #expect(symlink("\(odd)/nothing", "\(odd)/dangling") == 0)
        let refusals = [
            "\(disks)/../disk": "which no disk may have", "disk": "which no disk may have",
            "\(disks)//new": "which no disk may have", "\(state)/new": "which no disk may have",
            "\(state)/machines/x": "which no disk may have", "\(disks)/a\u{0}b": "which no disk may have",
            "\(disks)/a\u{1B}[2J": "the path 'with control characters', which no disk may have",
            "/proc/self/fd/0": "which no disk may have", "/dev/fd/0": "which no disk may have",
            "\(disks)/none/new": "is not on the receiver's host", free: "is not locked by the sender's machine",
            disks: "another file than its disk", "\(odd)/pipe": "another file than its disk",
            "\(odd)/link": "is not locked by the sender's machine", "\(odd)/dangling": "cannot be read",
            "\(free)/new": "cannot be looked at on the receiver's host: Not a directory",
        ]
        for (path, text) in refusals {
            let file = OutsideFile(
                path: path, size: 1 << 20, node: UInt64(status.st_ino), modified: 0, isWritten: true)
            var offer = MigrationOffer(machine: record, memory: 16 << 20, disks: [], outside: [file])
            offer.machine.name = "new"
            offer.machine.configuration.disks[0].path = path
            let refusal = try answer(to: offer)
            #expect(refusal.contains(text), "\(path): \(refusal)")
        }
        // Disks that are written to and not offered, offered twice, or too many.
        let file = OutsideFile(path: "\(disks)/new", size: 1 << 20, node: 1, modified: 0, isWritten: true)
        for files in [[], [file, file], (0..<65).map { _ in file }] {
            let offer = MigrationOffer(machine: record, memory: 16 << 20, disks: [], outside: files)
            #expect(try answer(to: offer).contains("the description of the machine"))
        }
        // A file that is none of its disks.
        var offer = MigrationOffer(machine: record, memory: 16 << 20, disks: [], outside: [file, file])
        offer.machine.configuration.disks[0].path = file.path
        offer.outside?[1].path = "\(disks)/extra"
        offer.outside?[1].isWritten = false
        #expect(try answer(to: offer).contains("the description of the machine"))
        #expect(try names(there) == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: disks).sorted() == ["disk", "free"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: odd).sorted() == ["dangling", "link", "pipe"])
    }

    /// What a receiver says to an offer.
    private func answer(to offer: MigrationOffer) throws -> String {
        let receiver = try receiver()
        let connection = aerie_stream_connect(socket)
        _ = fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) & ~O_NONBLOCK)
        let stream = TransferStream(input: connection, output: connection)
        try stream.send(.offer, text: JSONValue(encoding: offer).text)
        _ = try? stream.receive()
        close(connection)
        #expect(receiver.end() > 0)
        return receiver.error
    }
}

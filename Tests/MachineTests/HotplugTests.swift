import Aerie
import Foundation
import Synchronization
import TestSupport
import Testing

/// Disks and network cards in the hot-plug slots of machines whose guest is a driver of a few instructions.
@Suite("Hot-plug of disks and network cards") struct HotplugTests {
    private static let engines: [Configuration.Engine] = [.interpret, .auto]

    /// Programs are in directories that go away with them.
    private final class Programs: Sendable { let all = Mutex<[BareProgram]>([]) }

    private let programs = Programs()

    private func program(_ variant: String? = nil) throws -> (program: BareProgram, configuration: Configuration) {
        let program = try BareProgram(
            ["runtime.S", "guest.c", "hotplug.c"], flags: variant.map { ["-D\($0)"] } ?? [])
        programs.all.withLock { $0.append(program) }
        var configuration = program.configuration
        configuration.transport = .pci
        return (program, configuration)
    }

    /// A file of two sectors, the first of which begins with a text.
    private func disk(_ name: String, _ program: BareProgram, slot: Int? = nil) throws -> Disk {
        let text = "disk of test \(name)"
        let path = program.path(name)
        try Data(Array(text.utf8.prefix(16)) + [UInt8](repeating: 0, count: 1008)).write(to: URL(filePath: path))
        var disk = Disk(path: path, format: .raw, serial: name)
        disk.slot = slot
        return disk
    }

    private func start(
        _ configuration: Configuration, until text: String = "ready"
    ) throws -> (machine: VirtualMachine, console: RecordingConsole) {
        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        try #require(Patience.wait { console.text.contains(text) }, "\(console.text)")
        return (machine, console)
    }

    private func end(_ machine: VirtualMachine, _ console: RecordingConsole) {
        console.tellToEnd()
        #expect(machine.wait() == .poweredOff, "\(console.text)")
    }

    private func refusal(_ body: () throws(AerieError) -> Void) -> String? {
        do throws(AerieError) {
            try body()
            return nil
        } catch {
            return error.description
        }
    }

    @Test(
        "A guest gets a disk, reads and writes it, loses it, and its file is free; again and again", arguments: engines)
    func disk(engine: Configuration.Engine) throws {
        var (program, configuration) = try program()
        configuration.engine = engine
        let disk = try disk("a", program)
        let (machine, console) = try start(configuration)
        for round in 1...3 {
            let added = try machine.addDisk(disk)
            #expect(added.slot == 1)
            #expect(Patience.wait { console.text.components(separatedBy: "disk disk of test a\n").count == round + 1 })
            #expect(machine.deviceStatistics.disks.count == 1)
            // The file is locked for as long as the disk is plugged in.
            var other = program.configuration
            other.disks = [disk]
            #expect(refusal { () throws(AerieError) in _ = try VirtualMachine(other) } != nil)
            try machine.removeDisk(0)
            #expect(Patience.wait { console.text.components(separatedBy: "gone\n").count == round + 1 })
            #expect(machine.deviceStatistics.disks == [])
            #expect(refusal { () throws(AerieError) in _ = try VirtualMachine(other) } == nil)
        }
        end(machine, console)
        let bytes = try Data(contentsOf: URL(filePath: disk.path))
        #expect(bytes[512..<528] == bytes[0..<16])
    }

    @Test("A guest gets a network card and loses it")
    func card() throws {
        let (_, configuration) = try program()
        let (machine, console) = try start(configuration)
        let segment = "t\(UInt32.random(in: 0...UInt32.max))"
        let card = NetworkCard(network: .segment(segment), macAddress: "52:54:00:12:34:56")
        #expect(try machine.addNetworkCard(card).slot == 1)
        #expect(Patience.wait { console.text.contains("network card\n") })
        #expect(
            refusal { () throws(AerieError) in try machine.addNetworkCard(card) }
                == "--network: two cards have the same MAC address; give each its own")
        try machine.setLink(ofCard: 0, isUp: false)
        try machine.removeNetworkCard(0)
        #expect(Patience.wait { console.text.contains("gone\n") })
        #expect(machine.deviceStatistics.networkCards == [])
        end(machine, console)
    }

    @Test("A disk that begins in a slot is there when the guest starts, and leaves it as others do")
    func fromTheStart() throws {
        var (program, configuration) = try program()
        configuration.disks = [try disk("fixed", program), try disk("b", program, slot: 1)]
        let (machine, console) = try start(configuration, until: "disk disk of test b\n")
        #expect(console.text.hasPrefix("ready, and a card is there\n"))
        #expect(
            refusal { () throws(AerieError) in try machine.removeDisk(0) }
                == """
                removing disk 0: it is in no hot-plug slot, and stays as long as the machine runs; stop the machine
                """)
        try machine.removeDisk(1)
        #expect(machine.deviceStatistics.disks.count == 1)
        end(machine, console)
    }

    @Test("A guest that does not let go keeps its disk, and the error says so")
    func stubborn() throws {
        let (program, configuration) = try program("STUBBORN")
        let (machine, console) = try start(configuration)
        try machine.addDisk(try disk("c", program))
        #expect(Patience.wait { console.text.contains("disk disk of test c\n") })
        for round in 1...2 {
            let text = refusal { () throws(AerieError) in try machine.removeDisk(0, within: .seconds(1)) }
            #expect(
                text == """
                    removing disk 0: the guest did not let go of it within 1 s: it has no driver for its hot-plug slots; \
                    a Linux guest needs CONFIG_HOTPLUG_PCI_PCIE; the device stays
                    """)
            #expect(Patience.wait { console.text.components(separatedBy: "asked\n").count == round + 1 })
        }
        #expect(machine.deviceStatistics.disks.count == 1)
        try machine.pause()
        #expect(
            refusal { () throws(AerieError) in try machine.removeDisk(0) }
                == "removing disk 0: the machine is paused, and its guest cannot let go of a device; resume it first")
        try machine.resume()
        // A machine that ends while somebody waits.
        let waiting = Thread { [self] in
            let text = refusal { () throws(AerieError) in try machine.removeDisk(0, within: .seconds(3600)) }
            #expect(text == "removing disk 0: the machine has ended before its guest let go of it")
        }
        waiting.start()
        #expect(Patience.wait { console.text.components(separatedBy: "asked\n").count == 4 })
        end(machine, console)
        #expect(Patience.wait { waiting.isFinished })
    }

    @Test("A reset in the middle of a removal ends it: the guest that starts again does not see the disk")
    func resetting() throws {
        let (program, configuration) = try program("RESETTING")
        let (machine, console) = try start(configuration)
        try machine.addDisk(try disk("d", program))
        try machine.addDisk(try disk("e", program))
        #expect(Patience.wait { console.text.contains("disk disk of test d\n") })
        try machine.removeDisk(0)
        #expect(Patience.wait { console.text.components(separatedBy: "ready\n").count == 3 }, "\(console.text)")
        #expect(machine.deviceStatistics.disks.count == 1)
        // The other one stays in its slot.
        #expect(
            refusal { () throws(AerieError) in try machine.addDisk(try! disk("f", program, slot: 2)) }
                == "adding disk \(program.path("f")): hot-plug slot 2 is taken; choose another one")
        end(machine, console)
    }

    @Test("A guest that switches its slot's power off and on without end gets disks and loses them")
    func toggling() throws {
        let (program, configuration) = try program("TOGGLING")
        let (machine, console) = try start(configuration)
        let disk = try disk("g", program)
        for _ in 0..<20 {
            try machine.addDisk(disk)
            try machine.removeDisk(0)
        }
        try machine.pause()
        try machine.addDisk(disk)
        try machine.resume()
        try machine.removeDisk(0)
        end(machine, console)
    }

    @Test("A machine with a plugged disk is saved, and goes on with the disk in its slot", arguments: engines)
    func saving(engine: Configuration.Engine) throws {
        var (program, configuration) = try program()
        configuration.engine = engine
        let (machine, console) = try start(configuration)
        let disk = try machine.addDisk(try disk("h", program))
        #expect(Patience.wait { console.text.contains("disk disk of test h\n") })
        try machine.pause()
        let saved = program.path("saved")
        try machine.save(to: saved)
        machine.kill()
        #expect(machine.wait() == .stopped)

        let bare = try VirtualMachine(configuration)
        #expect(
            refusal { () throws(AerieError) in try bare.start(restoring: saved) }?
                .contains("disks: the saved machine has 1, this one 0") == true)
        configuration.disks = [disk]
        let next = RecordingConsole()
        let copy = try VirtualMachine(configuration, console: next)
        try copy.start(restoring: saved)
        try copy.removeDisk(0)
        #expect(Patience.wait { next.text.contains("gone\n") })
        // The slot is free again.
        try copy.addDisk(disk)
        #expect(Patience.wait { next.text.contains("disk disk of test h\n") })
        end(copy, next)
    }

    @Test("What cannot be plugged in is refused in words")
    func refusals() throws {
        let (program, configuration) = try program()
        let first = try disk("1", program)
        let unstarted = try VirtualMachine(configuration)
        #expect(
            refusal { () throws(AerieError) in try unstarted.addDisk(first) }
                == "adding disk \(first.path): the machine is created; it has to be running or paused")
        let (machine, console) = try start(configuration)
        try machine.addDisk(first)
        #expect(
            refusal { () throws(AerieError) in try machine.addDisk(first) }
                == "--disk \(first.path): the machine has this disk already; leave one out, or add ',readonly' to both")
        var same = try disk("2", program)
        same.serial = "1"
        #expect(
            refusal { () throws(AerieError) in try machine.addDisk(same) }
                == "--disk: two disks have the same serial; give each its own")
        var wild = try disk("3", program)
        for slot in [0, 5, -1, .max, .min] {
            wild.slot = slot
            #expect(refusal { () throws(AerieError) in try machine.addDisk(wild) } != nil)
        }
        #expect(
            refusal { () throws(AerieError) in try machine.addDisk(Disk(path: "/nowhere")) }
                == "--disk /nowhere: No such file or directory; check the path")
        for number in 2...4 { try machine.addDisk(try disk("\(number)", program)) }
        let fifth = try disk("5", program)
        #expect(
            refusal { () throws(AerieError) in try machine.addDisk(fifth) }
                == """
                adding disk \(fifth.path): all 4 hot-plug slots of the machine are taken; remove a device that is in one
                """)
        #expect(
            refusal { () throws(AerieError) in try machine.removeDisk(4) }
                == "removing disk 4: the machine has 4 disks; name another one")
        end(machine, console)
        #expect(
            refusal { () throws(AerieError) in try machine.removeDisk(0) }
                == "removing disk 0: the machine is ended; it has to be running or paused")

        var flat = program.configuration
        flat.disks = [fifth]
        flat.disks[0].slot = 1
        #expect(
            refusal { () throws(AerieError) in try flat.validate() }
                == """
                a device in a hot-plug slot: the machine's devices are on virtio-mmio, which has no hot-plug; \
                make the machine with --transport pci
                """)
    }
}

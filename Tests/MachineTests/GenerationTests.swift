import Foundation
import GuestMemory
import GuestToolchain
import HostSystem
import SavedState
import TestSupport
import Testing

@testable import Aerie

/// The generation ID of machines that go on from a saved one, seen by a guest that takes its interrupt.
@Suite("Generations of machines") struct GenerationTests {
    private struct Seen: Equatable {
        var identifier: [UInt64]
        var interrupts: UInt64
    }

    /// A guest's program, and where it notes what it has seen, from the start of memory on.
    private struct Guest {
        let configuration: Configuration
        let notes: Int
        /// Keeps the file of the program.
        var firmware: SmallFirmware?
    }

    private let directory = TemporaryDirectory()

    private func riscv(_ engine: Configuration.Engine) throws -> Guest {
        let firmware = try SmallFirmware.countingGenerations()
        var configuration = firmware.configuration
        configuration.engine = engine
        return Guest(configuration: configuration, notes: 1 << 20, firmware: firmware)
    }

    private func seen(_ machine: VirtualMachine, _ guest: Guest) -> Seen {
        let place = machine.board.memory.hostBase + guest.notes
        let words = (0..<3).map { place.load(fromByteOffset: 8 * $0, as: UInt64.self) }
        return Seen(identifier: Array(words[..<2]), interrupts: words[2])
    }

    private func file(_ name: String) throws -> FileDescriptor {
        try FileDescriptor(path: directory.path(name), flags: O_RDWR | O_CREAT, mode: 0o600)
    }

    private func save(_ machine: VirtualMachine, _ name: String) throws {
        try machine.pause()
        let state = try file("\(name).state")
        let memory = try file("\(name).memory")
        _ = try machine.save(state: state.rawValue, memory: memory.rawValue)
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    private func restore(_ name: String, isCopy: Bool, _ guest: Guest) throws -> VirtualMachine {
        let state = try file("\(name).state")
        let memory = try file("\(name).memory")
        var services = HostServices()
        services.memory = SavedMemoryFiles(memory: memory.rawValue)
        let machine = try VirtualMachine(
            guest.configuration, console: RecordingConsole(), services: services, log: .silent)
        try machine.start(restoring: state.rawValue, except: [], isCopy: isCopy)
        return machine
    }

    @Test(
        "Each copy of a machine gets one interrupt and an ID of its own; a machine that was moved keeps its ID",
        arguments: [Configuration.Engine.interpret, .auto])
    func copies(engine: Configuration.Engine) throws { try expectEachToHaveItsOwn(try riscv(engine)) }

    @Test(
        "The same on x86-64, where the device is in the ACPI tables and its interrupt is an edge",
        .enabled(if: X86Host.refusal == nil, "this host has no KVM for us"))
    func acpi() throws {
        var configuration = Configuration()
        configuration.architecture = .x86_64
        configuration.kernel = try X86Toolchain.program("generation").path
        configuration.memory = .mebibytes(16)
        try expectEachToHaveItsOwn(Guest(configuration: configuration, notes: 8 << 20)) { machine in
            // An edge that comes before the guest has set its controller is lost.
            let ready = machine.board.memory.hostBase + (8 << 20) + 24
            return Patience.wait { ready.load(as: UInt64.self) == 1 }
        }
    }

    private func expectEachToHaveItsOwn(_ guest: Guest, when isReady: (VirtualMachine) -> Bool = { _ in true }) throws {
        let parent = try VirtualMachine(guest.configuration, console: RecordingConsole())
        try parent.start()
        #expect(isReady(parent))
        // Pauses alone make nothing a copy.
        try parent.pause()
        try parent.resume()
        try save(parent, "parent")

        let first = try restore("parent", isCopy: true, guest)
        #expect(Patience.wait { seen(first, guest).interrupts == 1 })
        let one = seen(first, guest)
        try save(first, "first")
        let second = try restore("parent", isCopy: true, guest)
        #expect(Patience.wait { seen(second, guest).interrupts == 1 })
        let two = seen(second, guest)
        second.kill()
        #expect(second.wait() == .stopped)
        #expect(one.identifier != two.identifier && one.identifier != [0, 0])

        // The next copy's interrupt is the second one: there was none at the other place.
        let moved = try restore("first", isCopy: false, guest)
        try save(moved, "moved")
        let third = try restore("moved", isCopy: true, guest)
        #expect(Patience.wait { seen(third, guest).interrupts == 2 })
        #expect(![one.identifier, two.identifier].contains(seen(third, guest).identifier))
        third.kill()
        #expect(third.wait() == .stopped)
    }

    @Test("A machine that was saved before there was a generation ID goes on, and is told that it is a copy")
    func earlierVersion() throws {
        let guest = try riscv(.interpret)
        let parent = try VirtualMachine(guest.configuration, console: RecordingConsole())
        try parent.start()
        try save(parent, "new")
        let record = try SavedMachineFile.readState(from: try file("new.state"))
        var old = SavedRecord(kind: record.kind, version: record.version)
        for (name, value) in record.fields where name != "devices" { old.set(name, value) }
        let saved = try record.record("devices")
        var devices = SavedRecord(kind: saved.kind, version: saved.version)
        for (name, value) in saved.fields where name != "generation" { devices.set(name, value) }
        old.set("devices", devices)
        try SavedMachineFile.write(old, contents: [], to: try file("old.state"))
        try FileManager.default.copyItem(atPath: directory.path("new.memory"), toPath: directory.path("old.memory"))

        let machine = try restore("old", isCopy: true, guest)
        #expect(Patience.wait { seen(machine, guest).interrupts == 1 })
        machine.kill()
        #expect(machine.wait() == .stopped)
    }
}

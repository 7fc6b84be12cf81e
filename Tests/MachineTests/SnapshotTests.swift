import Foundation
import GuestToolchain
import HostSystem
import TestSupport
import Testing

@testable import Aerie

/// Saving into a state and a memory of its own, which a new machine maps.
@Suite("Machines saved with their memory in a file of its own")
struct SnapshotTests {
    private let directory = TemporaryDirectory()
    private let firmware: SmallFirmware

    init() throws { firmware = try SmallFirmware.busy() }

    private func file(_ name: String) throws -> FileDescriptor {
        try FileDescriptor(path: directory.path(name), flags: O_RDWR | O_CREAT, mode: 0o600)
    }

    /// Saves a machine that has run for a moment.
    private func save(_ name: String, _ machine: VirtualMachine) throws {
        let (state, memory) = (try file("\(name).state").release(), try file("\(name).memory").release())
        defer {
            close(state)
            close(memory)
        }
        try machine.save(state: state, memory: memory)
    }

    private func saved(_ name: String) throws {
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        try machine.start()
        try machine.pause()
        try save(name, machine)
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    private func restored(_ name: String, engine: Configuration.Engine) throws -> VirtualMachine {
        let memory = try file("\(name).memory")
        let state = try file("\(name).state")
        var services = HostServices()
        services.memory = memory.rawValue
        var configuration = firmware.configuration
        configuration.engine = engine
        let machine = try VirtualMachine(
            configuration, console: RecordingConsole(), services: services, log: .silent)
        try machine.start(restoring: state.rawValue, except: [])
        return machine
    }

    private func check(_ name: String) -> String? {
        do {
            let (state, memory) = (try file("\(name).state").release(), try file("\(name).memory").release())
            defer {
                close(state)
                close(memory)
            }
            try VirtualMachine.checkSnapshot(state: state, memory: memory, asked: "it")
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("A machine goes on from it on either engine, again and again, and is saved from there", arguments: [1, 2])
    func chain(round: Int) throws {
        try saved("a0")
        for step in 1...3 {
            let machine = try restored("a\(step - 1)", engine: (step + round) % 2 == 0 ? .interpret : .auto)
            #expect(machine.currentState == .running)
            try machine.pause()
            try save("a\(step)", machine)
            machine.kill()
            #expect(machine.wait() == .stopped)
            #expect(check("a\(step)") == nil)
        }
        // The guest writes nothing: the memory stays as it was.
        #expect(try directory.contents(directory.path("a3.memory")) == directory.contents(directory.path("a0.memory")))
    }

    @Test("An altered byte anywhere in the memory is found, with its block")
    func altered() throws {
        try saved("b")
        let path = directory.path("b.memory")
        let size = try directory.contents(path).count
        for offset in [0, 1, 65535, 65536, 1 << 20, size / 2 + 3, size - 1] {
            let memory = try file("b.memory")
            var byte: [UInt8] = [0]
            _ = try byte.withUnsafeMutableBytes { try memory.read(at: UInt64(offset), into: $0) }
            byte[0] ^= 0x10
            try byte.withUnsafeBytes { try memory.writeAll(at: UInt64(offset), $0) }
            let block = offset / 65536 * 65536
            #expect(
                check("b")
                    == "it: the block of 64K at offset \(block) has other contents than those saved; remove the snapshot; "
                    + "it cannot be used")
            byte[0] ^= 0x10
            try byte.withUnsafeBytes { try memory.writeAll(at: UInt64(offset), $0) }
            #expect(check("b") == nil)
        }
        try file("b.memory").truncate(to: UInt64(size - 1))
        #expect(check("b")?.contains("it has \(size - 1) bytes instead of \(size)") == true)
        #expect(throws: AerieError.self) { try restored("b", engine: .interpret) }
    }

    @Test("A state that is cut off or altered anywhere is refused, and the machine ends")
    func damagedState() throws {
        try saved("c")
        let path = directory.path("c.state")
        let whole = try directory.contents(path)
        var random = SeededGenerator(seed: 15)
        for _ in 0..<40 {
            var bytes = whole
            if Bool.random(using: &random) {
                bytes.removeLast(Int.random(in: 1...whole.count, using: &random))
            } else {
                // The runs behind the state have checksums, too, but for the numbers that end them.
                bytes[Int.random(in: 0..<(whole.count - 24), using: &random)] ^= UInt8.random(
                    in: 1...255, using: &random)
            }
            _ = try directory.file("c.state", bytes)
            #expect(check("c") != nil || bytes.count < whole.count)
            #expect(throws: AerieError.self) { try restored("c", engine: .interpret) }
        }
        _ = try directory.file("c.state", whole)
        let machine = try restored("c", engine: .interpret)
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test("A machine that runs, or has never started, is not saved")
    func wrongStates() throws {
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        #expect(throws: AerieError.self) { try save("d", machine) }
        try machine.start()
        #expect(throws: AerieError.self) { try save("d", machine) }
        machine.kill()
        #expect(machine.wait() == .stopped)
    }
}

import Foundation
import GuestMemory
import GuestToolchain
import HostSystem
import TestSupport
import Testing

@testable import Aerie

/// What copies of a machine begin with.
@Suite("Machines saved for copies")
struct ForkTests {
    /// The files of one fork, which go away with it.
    private final class Files {
        let state: Int32
        let memory: Int32
        let map: Int32
        /// What the machine has, as long as it lives: copies of the descriptors.
        var others: [Int32] = []
        var usesFile = false

        init() throws {
            state = try makeMemoryFile(name: "state", size: 0).release()
            memory = try makeMemoryFile(name: "memory", size: 0).release()
            map = try makeMemoryFile(name: "map", size: 0).release()
        }

        deinit { for descriptor in [state, memory, map] + others { close(descriptor) } }

        var saved: SavedMemoryFiles {
            let files = (usesFile ? [memory] : []) + others
            return SavedMemoryFiles(memory: files[0], map: map, others: Array(files.dropFirst()))
        }
    }

    /// - Returns: the files, and whether the machine was running. It stands still.
    private func fork(_ machine: VirtualMachine) throws -> (Files, wasRunning: Bool) {
        let files = try Files()
        let report = try machine.fork(state: files.state, memory: files.memory, map: files.map)
        files.usesFile = report.usesFile
        files.others = report.files.map { dup($0) }
        return (files, report.saving.wasRunning)
    }

    private func copy(
        _ files: Files, _ configuration: Configuration, console: RecordingConsole = RecordingConsole()
    ) throws -> VirtualMachine {
        var services = HostServices()
        services.memory = files.saved
        let machine = try VirtualMachine(configuration, console: console, services: services, log: .silent)
        try machine.start(restoring: files.state, except: [])
        return machine
    }

    /// All bytes of a fork's memory.
    private func bytes(_ files: Files) throws -> [UInt8] {
        try contents(SavedMemory(files.saved))
    }

    /// All bytes of a machine's memory that stands still, by another way.
    private func bytes(_ machine: VirtualMachine) throws -> [UInt8] {
        let files = try Files()
        _ = try machine.save(state: files.state, memory: files.memory)
        return try contents(SavedMemory(SavedMemoryFiles(memory: files.memory)))
    }

    private func contents(_ memory: SavedMemory) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 1, count: Int(memory.size))
        try bytes.withUnsafeMutableBytes { try memory.read(at: 0, into: $0) }
        return bytes
    }

    private func end(_ machine: VirtualMachine) {
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test("A machine's memory is frozen at the first time, and what it has written since copied later")
    func kinds() throws {
        let firmware = try SmallFirmware.writing()
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        try machine.start()
        let (first, wasRunning) = try fork(machine)
        #expect(wasRunning && !first.usesFile && first.others.count == 1)
        let begun = try bytes(machine)
        #expect(try bytes(first) == begun)
        try machine.resume()
        let (second, _) = try fork(machine)
        #expect(second.usesFile && second.others.count <= 1)
        #expect(try bytes(second) == bytes(machine))
        // The first one is what it was, though the guest has written to all of that.
        #expect(try bytes(first) == begun)
        end(machine)
    }

    @Test("Copies of copies have the memory of their parent, also beyond the most files that a memory is in")
    func chain() throws {
        let firmware = try SmallFirmware.writing()
        var machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        try machine.start()
        for generation in 0..<20 {
            let (files, wasRunning) = try fork(machine)
            #expect(wasRunning)
            #expect(try bytes(files) == bytes(machine), "generation \(generation)")
            #expect(files.saved.others.count < 16)
            end(machine)
            machine = try copy(files, firmware.configuration)
            #expect(machine.currentState == .running)
            usleep(UInt32(generation) * 1000)
        }
        end(machine)
    }

    @Test("A paused machine stays paused, and a copy of it runs")
    func paused() throws {
        let firmware = try SmallFirmware.busy()
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        try machine.start()
        try machine.pause()
        let (files, wasRunning) = try fork(machine)
        #expect(!wasRunning && machine.currentState == .paused)
        let copy = try copy(files, firmware.configuration)
        #expect(copy.currentState == .running)
        end(copy)
        try machine.resume()
        end(machine)
    }

    @Test(
        "With KVM, a machine and its copies all compute what they compute alone",
        .enabled(if: X86Host.refusal == nil, "this host has no KVM for us"))
    func kvm() throws {
        var configuration = Configuration()
        configuration.architecture = .x86_64
        let program = try X86Toolchain.program("counting")
        configuration.kernel = program.path
        configuration.memory = .mebibytes(16)
        configuration.cpus = 2
        func end(_ machine: VirtualMachine, _ console: RecordingConsole) -> String {
            console.tellToEnd()
            #expect(machine.wait() == .poweredOff)
            return console.text
        }
        let alone = RecordingConsole()
        let first = try VirtualMachine(configuration, console: alone)
        try first.start()
        let expected = end(first, alone)

        let console = RecordingConsole()
        let machine = try VirtualMachine(configuration, console: console)
        try machine.start()
        for round in 0..<4 {
            usleep(UInt32(round * 7919 % 20_000))
            let (files, wasRunning) = try fork(machine)
            #expect(wasRunning && files.usesFile == (round > 0))
            let begun = console.text
            try machine.resume()
            let other = RecordingConsole()
            #expect(begun + end(try copy(files, configuration, console: other), other) == expected)
        }
        #expect(end(machine, console) == expected)
    }

    @Test("Memory whose pages the host may merge is copied as a whole")
    func mergeable() throws {
        let firmware = try SmallFirmware.busy()
        var configuration = firmware.configuration
        configuration.mergesMemory = true
        let machine = try VirtualMachine(configuration, console: RecordingConsole())
        try machine.start()
        let (files, _) = try fork(machine)
        #expect(files.usesFile && files.others.isEmpty)
        #expect(try bytes(files) == bytes(machine))
        end(machine)
    }

    @Test(
        "A machine that has ended is refused, and a file that cannot be written leaves a machine that runs",
        arguments: [false, true])
    func refusals(mergesMemory: Bool) throws {
        let firmware = try SmallFirmware.busy()
        var configuration = firmware.configuration
        configuration.mergesMemory = mergesMemory
        let machine = try VirtualMachine(configuration, console: RecordingConsole())
        try machine.start()
        let files = try Files()
        let reader = open("/dev/null", O_RDONLY)
        defer { close(reader) }
        #expect(throws: AerieError.self) {
            _ = try machine.fork(state: files.state, memory: files.memory, map: reader)
        }
        #expect(machine.currentState == .running)
        end(machine)
        #expect(throws: AerieError.self) {
            _ = try machine.fork(state: files.state, memory: files.memory, map: files.map)
        }
    }
}

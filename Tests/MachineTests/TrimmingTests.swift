import Foundation
import GuestMemory
import GuestToolchain
import HostSystem
import TestSupport
import Testing

@testable import Aerie

/// As `TrimSchedule`, with functions that an expectation can call.
private final class Schedule {
    private var schedule: TrimSchedule

    init(now: UInt64, used: UInt64) { schedule = TrimSchedule(now: now, used: used) }

    var wait: UInt64 { schedule.wait }
    var nextLook: UInt64 { schedule.nextLook }

    func look(now: UInt64, used: UInt64) -> TrimSchedule.Decision { schedule.look(now: now, used: used) }
    func noteTrim(now: UInt64, used: UInt64) { schedule.noteTrim(now: now, used: used) }
}

@Suite("Memory that an idle machine gives up") struct TrimmingTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("A machine that has worked is trimmed after 20 seconds in which it used at most 5% of a processor")
    func idle() {
        let schedule = Schedule(now: 0, used: 0)
        #expect(schedule.nextLook == 5 * Self.second)
        // 6% of a processor is work, and 5% is none.
        #expect(schedule.look(now: 5 * Self.second, used: 300_000_000) == .nothing)
        for now in stride(from: UInt64(10), to: 25, by: 5) {
            let used = 300_000_000 + (now - 5) * 50_000_000
            #expect(schedule.look(now: now * Self.second, used: used) == .nothing)
        }
        #expect(schedule.look(now: 25 * Self.second, used: 1_300_000_000) == .machine)
    }

    @Test("A machine that has done nothing since its last trim has nothing to give up")
    func nothing() {
        let schedule = Schedule(now: 0, used: 0)
        #expect(schedule.look(now: 60 * Self.second, used: 249_999_999) == .nothing)
        #expect(schedule.look(now: 90 * Self.second, used: 250_000_000) == .machine)
        schedule.noteTrim(now: 90 * Self.second, used: 260_000_000)
        #expect(schedule.look(now: 900 * Self.second, used: 509_999_999) == .nothing)
        #expect(schedule.look(now: 1_000 * Self.second, used: 510_000_000) == .machine)
    }

    @Test("For half a minute after a trim, free memory of the heap is given back while the machine is idle")
    func settling() {
        let schedule = Schedule(now: 0, used: 0)
        schedule.noteTrim(now: 0, used: 0)
        #expect(schedule.look(now: 5 * Self.second, used: 10_000_000) == .heap)
        #expect(schedule.look(now: 10 * Self.second, used: 3_000_000_000) == .nothing)
        #expect(schedule.look(now: 30 * Self.second, used: 3_000_000_000) == .heap)
        #expect(schedule.look(now: 31 * Self.second, used: 3_000_000_000) == .machine)
    }

    @Test("A machine that works again soon is trimmed half as often each time, and one that rests for long as at first")
    func waits() {
        let schedule = Schedule(now: 0, used: 0)
        var now = 20 * Self.second
        schedule.noteTrim(now: now, used: 0)
        #expect(schedule.wait == 20 * Self.second)
        for wait: UInt64 in [40, 80, 160, 320, 320] {
            now += 60 * Self.second
            schedule.noteTrim(now: now, used: 0)
            #expect(schedule.wait == wait * Self.second)
        }
        schedule.noteTrim(now: now + 16 * 320 * Self.second, used: 0)
        #expect(schedule.wait == 20 * Self.second)
    }

    /// A counter that grows by one from page to page shows each mistake.
    @Test("A machine goes on as before after each trim, and its code is there for copies of it", arguments: [1, 2])
    func goesOn(cpus: Int) throws {
        let firmware = try SmallFirmware.writing()
        var configuration = firmware.configuration
        configuration.cpus = cpus
        configuration.engine = .translate
        let storage = try makeMemoryFile(name: "storage", size: 0)
        var services = HostServices()
        services.codeStorage = storage.rawValue
        let machine = try VirtualMachine(
            configuration, console: RecordingConsole(), services: services, log: .silent)
        #expect(!machine.trim())
        try machine.start()
        for _ in 0..<20 {
            let before = counter(machine)
            #expect(Patience.wait { counter(machine) > before + 4096 })
            #expect(machine.trim())
        }
        let code = try makeMemoryFile(name: "code", size: 0)
        try machine.pause()
        #expect(!machine.trim())
        #expect(seams(machine) <= 1 || cpus > 1)
        try machine.saveCode(code.rawValue)
        let isIntact = VirtualMachine.isCodeIntact(code)
        #expect(isIntact)
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    /// The counter in the first page that the guest writes.
    private func counter(_ machine: VirtualMachine) -> UInt64 { word(machine, page: 0) }

    private func word(_ machine: VirtualMachine, page: Int) -> UInt64 {
        (machine.board.memory.hostBase + 4 << 20 + page << 12).load(as: UInt64.self)
    }

    /// Neighbours among the 2048 pages whose counters do not follow each other.
    private func seams(_ machine: VirtualMachine) -> Int {
        (1..<2048).count { word(machine, page: $0) != word(machine, page: $0 - 1) + 1 }
    }
}

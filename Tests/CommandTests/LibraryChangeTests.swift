import AerieMachines
import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// Running machines of the library: their figures, and changes to them.
@Suite("Changes and statistics of the library's machines") struct LibraryChangeTests {
    private let directory = TemporaryDirectory()
    private let store: MachineStore

    init() throws {
        store = try MachineStore(stateDirectory: directory.path("state"), imageDirectory: directory.path("images"))
    }

    private func settings(_ program: Data) throws -> MachineSettings {
        var configuration = Configuration()
        configuration.firmware = try directory.file("\(UUID().uuidString).bin", program)
        configuration.memory = .mebibytes(16)
        configuration.engine = .interpret
        configuration.disks = [Disk(path: try directory.file("\(UUID().uuidString).raw", Data(count: 1 << 20)))]
        return MachineSettings(configuration)
    }

    /// The names of the threads of a machine's process.
    private func threads(_ machine: JailedMachine) throws -> [String] {
        let status = try StateDirectory(path: directory.path("state/machines")).find(machine.id).status
        let tasks = "/proc/\(status.process)/task"
        return try FileManager.default.contentsOfDirectory(atPath: tasks).compactMap {
            try? String(contentsOfFile: "\(tasks)/\($0)/comm", encoding: .utf8).trimmingCharacters(in: .newlines)
        }
    }

    @Test("The statistics of a running machine grow, and their sequence ends with the machine")
    func statistics() async throws {
        let machine = try await store.create(try settings(GuestProgram.busy))
        let early = await #expect(throws: AerieError.self) { try await machine.statistics }
        #expect(early?.category == .usage)
        try await machine.start()
        let first = try await machine.statistics
        #expect(first.ownMemory.bytes > 0)
        #expect(first.memory?.size == .mebibytes(16))
        #expect(first.devices?.disks.count == 1)
        #expect(first.rates(since: first) == nil)
        var count = 0
        var last = first
        for await statistics in machine.statistics(every: .milliseconds(20)) {
            #expect(statistics.time > last.time)
            last = statistics
            count += 1
            // The guest counts without end.
            if count > 1, last.processorTime > first.processorTime + 20_000_000 { try await machine.kill() }
        }
        #expect(count > 1)
        let rates = try #require(last.rates(since: first))
        #expect(rates.cpu > 0)
        #expect(rates.disks.reads == 0)
        #expect(rates.networkCards.writtenBytes == 0)
        var none = machine.statistics(every: .zero).makeAsyncIterator()
        #expect(await none.next() == nil)
    }

    @Test(
        "A running machine gets a larger disk, another share, a link that is down, and a memory policy with its thread")
    func changes() async throws {
        var settings = try settings(GuestProgram.sleep)
        settings.configuration.networkCards = [NetworkCard(network: .segment("library-\(UUID().uuidString.prefix(8))"))]
        let machine = try await store.create(settings)
        var changes = MachineChanges()
        changes.memory = .mebibytes(8)
        let early = await #expect(throws: AerieError.self) { try await machine.change(changes) }
        #expect(early?.category == .usage)
        try await machine.start()
        #expect(try !threads(machine).contains("memory-policy"))
        changes.disks[0] = MachineChanges.DiskChange(size: .mebibytes(2), rate: RateLimit(bytes: .mebibytes(1)))
        changes.networkCards[0] = MachineChanges.CardChange(isUp: false, rate: RateLimit(operations: 1000))
        changes.cpuWeight = 50
        changes.cpuLimit = .percent(150)
        changes.memoryPolicy = MemoryPolicy()
        changes.memoryPolicy?.idleTime = 600
        try await machine.change(changes)
        let size = try FileManager.default.attributesOfItem(atPath: settings.configuration.disks[0].path)[.size]
        #expect(size as? Int == 2 << 20)
        #expect(try await machine.statistics.memory?.target == .mebibytes(8))
        #expect(await Patience.wait { (try? threads(machine).contains("memory-policy")) ?? false })

        // Lending begins and ends in the jail, whose files were opened before.
        for policy in ["pressure", "fixed", "pressure,idle=10"] {
            changes = MachineChanges()
            changes.memoryPolicy = try MemoryPolicy(option: policy)
            try await machine.change(changes)
        }
        changes = MachineChanges()
        changes.cpuLimit = MachineChanges.ProcessorLimit.none
        try await machine.change(changes)
        #expect(try threads(machine).filter { $0 == "memory-policy" }.count == 1)
        #expect(await machine.currentState == .running)
        try await machine.kill()
    }

    @Test("Values out of range are refused, and the machine stays as it is")
    func refusals() async throws {
        let machine = try await store.create(try settings(GuestProgram.sleep))
        try await machine.start()
        func refusal(_ change: (inout MachineChanges) -> Void) async -> String? {
            var changes = MachineChanges()
            change(&changes)
            do {
                try await machine.change(changes)
                return nil
            } catch { return error.category == .usage ? error.description : "\(error.category)" }
        }
        let weight = await refusal { $0.cpuWeight = 0 }
        #expect(weight == "a weight of 0: it is not from 1 to 10000; choose a number in this range")
        let limit = await refusal { $0.cpuLimit = .percent(102_401) }
        #expect(limit == "a limit of 102401%: it is not from 1 to 102400; choose a number in this range")
        let none = await refusal { $0.processors = [] }
        #expect(none == "the processors of the machine: none is named")
        let processor = await refusal { $0.processors = [1024] }
        #expect(processor == "processor 1024: it is not from 0 to 1023; choose a number in this range")
        let disk = await refusal { $0.disks[1] = .init(rate: RateLimit()) }
        #expect(disk?.contains("the machine has 1 disks") == true, "\(disk ?? "")")
        let memory = await refusal { $0.memory = .mebibytes(17) }
        #expect(
            memory
                == "memory of 17M: the guest can have 1M to 16M, in steps of 4K; choose a size in this range; "
                + "a machine made with --max-memory can have more")
        let policy = await refusal {
            $0.memoryPolicy = MemoryPolicy()
            $0.memoryPolicy?.idleTime = 9
        }
        #expect(policy?.contains("idle times are 10 to 86400 seconds") == true, "\(policy ?? "")")
        #expect(await machine.currentState == .running)
        try await machine.kill()
    }

    @Test("A reset that ends a machine is told as a reset; a status of an older program, which has no outcome, is read")
    func reset() async throws {
        for program in [GuestProgram.reset, GuestProgram.powerOff] {
            var settings = try settings(program)
            settings.configuration.restartsOnReset = false
            let expected: VirtualMachine.Outcome = program == GuestProgram.reset ? .reset : .poweredOff
            let machine = try await store.create(settings)
            try await machine.start()
            #expect(try await machine.outcome == expected)
            let kept = try StateDirectory(path: directory.path("state/machines")).find(machine.id)
            #expect(kept.status.outcome == (expected == .reset ? "reset" : "poweredOff"))
            #expect(try await store.machine(machine.id).outcome == expected)
            #expect(try await store.withMachine(settings) { try await $0.outcome } == expected)
            // A status of an older program has no outcome.
            var status = kept.status
            status.outcome = nil
            try kept.write(status)
            let text = try String(contentsOfFile: kept.file("status.json"), encoding: .utf8)
            #expect(!text.contains("outcome"))
            #expect(try await store.machine(machine.id).outcome == .poweredOff)
        }
    }
}

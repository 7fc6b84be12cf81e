import CKVM
import Glibc
import GuestMemory
import GuestToolchain
import HostSystem
import KVMEngine
import Machine
import SavedState
import Synchronization

/// The host's KVM, for tests that need it.
enum Host {
    /// The reason why this host has no KVM; nil when it has.
    static let refusal: String? = {
        do throws(KVMError) {
            _ = try KVMSystem()
            return nil
        } catch {
            print("KVM tests are skipped: \(error)")
            return error.description
        }
    }()
    static let hasKVM = refusal == nil
}

/// The small machine of all tests: memory below 0xA0000 and from 1 MiB to 2 MiB, a recording device at 0xA0000, a recording
/// port at 0xE0. A write to port 0xE4 ends the run.
final class KVMGuest {
    enum Mode {
        case real, protected, long
        /// 64-bit mode in ring 3, on every vCPU, whose number is in RSI; ports may be used.
        case user
    }

    static let program: UInt64 = 0x8000
    static let device: UInt64 = 0xA0000

    let system: KVMSystem
    let machine: KVMMachine
    let memory: GuestMemory
    let processors: [X86Processor]
    let clock: KVMClock
    let chip: InKernelIRQChip?
    let port = Recorder(name: "port")
    let registers = Recorder(name: "registers")
    let done = Recorder(name: "done")
    private let bus: AddressSpace
    private let ports = PortSpace()

    init(
        _ assembly: String, mode: Mode = .real, cpus: Int = 1,
        irqchip: KVMMachine.IRQChip = .full, access: KVMMachine.MemoryAccess = .readWrite
    ) throws {
        system = try KVMSystem()
        machine = try KVMMachine(system, irqchip: irqchip)
        memory = try GuestMemory(ranges: [(0, 0xA0000), (0x10_0000, 0x10_0000)])
        try machine.map(memory, access: access)
        bus = AddressSpace(memory: memory)
        bus.attach(registers, base: Self.device, size: 0x1000)
        ports.attach(port, ports: 0xE0...0xE3)
        ports.attach(done, ports: 0xE4...0xE4)
        let cpuid = try CPUIDModel(system)
        var processors: [X86Processor] = []
        for index in 0..<cpus {
            processors.append(
                try X86Processor(
                    index: index, count: cpus, machine: machine, cpuid: cpuid, system: system,
                    addressSpace: bus, ports: ports, events: { _ in }))
        }
        self.processors = processors
        clock = KVMClock(machine: machine, processors: processors)
        if case .full = irqchip { chip = try InKernelIRQChip(machine: machine) } else { chip = nil }
        done.onWrite = { [processors] _, _ in for processor in processors { processor.requestExit() } }
        try memory.write(try X86Toolchain.assemble(assembly, at: Self.program), at: Self.program)
        try enter(mode)
    }

    deinit {
        // Devices and processors know each other.
        bus.detachAll()
        ports.detachAll()
    }

    /// Global descriptors at 0x1000; page tables at 0x2000 for the first 4 GiB, in pages of 2 MiB.
    private func enter(_ mode: Mode) throws {
        for (index, descriptor) in [0, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF].enumerated() {
            try memory.store(UInt64(descriptor), at: 0x1000 + 8 * UInt64(index))
        }
        // All pages are user pages, for the tests in ring 3.
        try memory.store(UInt64(0x3007), at: 0x2000)
        for index in 0..<4 as Range<UInt64> {
            try memory.store(0x4007 + index << 12, at: 0x3000 + 8 * index)
            for page in 0..<512 as Range<UInt64> {
                try memory.store(index << 30 | page << 21 | 0x87, at: 0x4000 + index << 12 + 8 * page)
            }
        }
        guard mode != .user else {
            for processor in processors { try enterUserMode(processor) }
            return
        }
        var state = processors[0].initialState
        switch mode {
        case .real:
            // With CS = 0.
            state.specialRegisters.cs.base = 0
            state.specialRegisters.cs.selector = 0
            state.registers.rip = Self.program
            state.mpState = UInt32(KVM_MP_STATE_RUNNABLE)
        case .protected: state.enterProtectedMode(at: Self.program, rbx: 0x1234_5678, descriptorTable: 0x1000)
        case .long, .user:
            state.enterLongMode(at: Self.program, rsi: 0x1234_5678, pageTable: 0x2000, descriptorTable: 0x1000)
        }
        state.registers.rsp = 0x7000
        try processors[0].setState(state)
    }

    private func enterUserMode(_ processor: X86Processor) throws {
        var state = processor.initialState
        state.enterLongMode(
            at: Self.program, rsi: UInt64(processor.index), pageTable: 0x2000, descriptorTable: 0x1000)
        // The GDT has no descriptors for these selectors; the guest does not load them again.
        state.specialRegisters.cs.dpl = 3
        state.specialRegisters.cs.selector = 0x23
        state.specialRegisters.ss.dpl = 3
        state.specialRegisters.ss.selector = 0x2B
        // An I/O privilege level of 3.
        state.registers.rflags = 0x3002
        try processor.setState(state)
    }

    /// Runs every vCPU on its own thread until all have returned. A watchdog stops a guest that hangs.
    func run(_ meanwhile: () throws -> Void = {}) throws -> [ProcessorExit] {
        let exits = Monitor<[Int: ProcessorExit]>([:])
        let threads = try processors.map { processor in
            try HostThread(name: "vcpu\(processor.index)") {
                let exit = processor.run()
                exits.update { $0[processor.index] = exit }
            }
        }
        try meanwhile()
        let deadline = HostClock.monotonic() + 300_000_000_000
        let count = processors.count
        if exits.wait(until: deadline, { $0.count == count ? () : nil }) == nil {
            for processor in processors { processor.requestExit() }
        }
        for thread in threads { thread.join() }
        return exits.withLock { exits in exits.sorted { $0.key < $1.key }.map(\.value) }
    }

    func save() throws -> [SavedRecord] {
        try processors.map { try $0.save() } + [try chip!.save(), try clock.save()]
    }

    /// Restores another guest's saved state and copies its memory.
    func restore(_ records: [SavedRecord], memory other: GuestMemory) throws {
        for range in other.ranges {
            try memory.write(try other.bytes(at: range.base, count: Int(range.size)), at: range.base)
        }
        for (processor, record) in zip(processors, records) {
            try processor.restore(try SavedRecord(encoded: record.encoded(), limit: 1 << 20))
        }
        try chip!.restore(records[processors.count])
        try clock.restore(records[processors.count + 1])
    }
}

/// A device that records writes and answers reads by `onRead`.
final class Recorder: MemoryMappedDevice, @unchecked Sendable {
    // @unchecked: `onWrite` and `onRead` are set before vCPUs run.
    struct Access: Equatable {
        let offset: UInt64
        let size: Int
        let value: UInt64
    }

    let name: String
    var onWrite: (UInt64, UInt64) -> Void = { _, _ in }
    var onRead: (UInt64, Int) -> UInt64 = { _, _ in 0 }
    private let accesses = Monitor<[Access]>([])

    init(name: String) { self.name = name }

    var written: [Access] { accesses.withLock { $0 } }
    var values: [UInt64] { written.map(\.value) }

    /// Waits for `count` writes. A watchdog ends the wait.
    func wait(count: Int) {
        accesses.wait(until: HostClock.monotonic() + 300_000_000_000) { $0.count >= count ? () : nil }
    }

    func read(offset: UInt64, size: Int) -> UInt64 { onRead(offset, size) }

    func write(offset: UInt64, size: Int, value: UInt64) {
        accesses.update { $0.append(Access(offset: offset, size: size, value: value)) }
        onWrite(offset, value)
    }

    func reset() {}
    func save() throws(SavedStateError) -> SavedRecord { SavedRecord(kind: "recorder", version: 1) }
    func restore(_ state: SavedRecord) throws(SavedStateError) {}
}

extension Host {
    /// Nanoseconds.
    static var now: UInt64 { HostClock.monotonic() }
}

/// Whether an eventfd has been written to.
func isSignalled(_ event: EventNotifier) -> Bool {
    var entry = pollfd(fd: event.rawValue, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) == 1
}

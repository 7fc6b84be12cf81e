import GuestMemory
import Machine
import SavedState
import Synchronization
import Testing

@testable import PCI
@testable import Virtio
@testable import VirtioDevices

/// A bus with one entropy device in slot 1, as a guest's driver sees it.
private final class Bus {
    static let window: UInt64 = 0x4000_0000
    static let slot: UInt64 = 1 << 15

    let memory: GuestMemory
    let messages = MessageRecorder()
    let lines = LineRecorder()
    let transport: VirtioPCITransport
    let host: PCIHost
    let registers: PCIWindow

    init(hasMessages: Bool = true) throws {
        memory = try GuestMemory(ranges: [(0x8000_0000, 0x10_0000)])
        let lines = self.lines
        transport = VirtioPCITransport(
            name: "virtio0", device: EntropyDevice(), memory: memory, messages: hasMessages ? messages : nil,
            loop: TestLoop.shared)
        host = PCIHost(
            name: "pci", functions: [transport],
            lines: (0..<4).map { InterruptLine(sink: lines, number: $0) })
        registers = PCIWindow(name: "pci-window", host: host, base: Self.window)
        try transport.start()
    }

    deinit { transport.stop() }

    func config(_ offset: UInt64, _ size: Int = 4) -> UInt64 { host.read(offset: Self.slot + offset, size: size) }

    func setConfig(_ offset: UInt64, _ value: UInt64, _ size: Int = 4) {
        host.write(offset: Self.slot + offset, size: size, value: value)
    }

    func read(_ address: UInt64, _ size: Int = 4) -> UInt64 {
        registers.read(offset: address - Self.window, size: size)
    }

    func write(_ address: UInt64, _ value: UInt64, _ size: Int = 4) {
        registers.write(offset: address - Self.window, size: size, value: value)
    }

    /// Places both registers and lets the function answer: virtio's at the window's beginning, the messages 1 MiB above.
    func place() {
        setConfig(0x10, Self.window)
        setConfig(0x18, Self.window + 0x10_0000)
        setConfig(4, 6, 2)
    }
}

@Suite("Virtio over PCI") struct PCITransportTests {
    @Test("A function tells what it is, and where no function is, everything is ones")
    func identification() throws {
        let bus = try Bus()
        #expect(bus.config(0) == 0x1044_1AF4)
        #expect(bus.config(8) == 0x00FF_0001)
        #expect(bus.config(0x2C) == 0x1044_1AF4)
        #expect(bus.config(0x3D, 1) == 1)
        #expect(bus.host.read(offset: 0, size: 4) == 0x0008_1B36)
        #expect(bus.host.read(offset: 2 << 15, size: 4) == 0xFFFF_FFFF)
        #expect(bus.host.read(offset: Bus.slot | 1 << 12, size: 2) == 0xFFFF)
    }

    @Test("More functions than devices are two to a device, in their order, and each has its interrupt")
    func manyFunctions() throws {
        let memory = try GuestMemory(ranges: [(0x8000_0000, 0x10_0000)])
        let lines = LineRecorder()
        let functions = (0..<43).map { index in
            VirtioPCITransport(
                name: "virtio\(index)", device: EntropyDevice(), memory: memory, messages: nil, loop: TestLoop.shared)
        }
        let host = PCIHost(
            name: "pci", functions: functions, lines: (0..<4).map { InterruptLine(sink: lines, number: $0) })
        func place(_ index: Int) -> UInt64 { UInt64(1 + index / 2) << 15 | UInt64(index % 2) << 12 }
        for index in functions.indices {
            #expect(host.read(offset: place(index), size: 4) == 0x1044_1AF4)
            // Of several functions, with the registers of a function.
            #expect(host.read(offset: place(index) + 0x0E, size: 1) == 0x80)
            functions[index].reset()
            #expect(host.read(offset: place(index) + 0x0E, size: 1) == 0x80)
        }
        #expect(host.read(offset: place(43), size: 4) == 0xFFFF_FFFF)
        #expect(host.read(offset: 1 << 15 | 2 << 12, size: 4) == 0xFFFF_FFFF)
        #expect(host.read(offset: 1 << 12, size: 4) == 0xFFFF_FFFF)
        #expect(host.read(offset: 0x0E, size: 1) == 0)
    }

    @Test("The line that functions share is high while one of them asserts it")
    func sharedLine() {
        let lines = LineRecorder()
        let pin = PCIInterruptPin(InterruptLine(sink: lines, number: 2))
        for (number, level, expected) in [(0, true, true), (62, true, true), (0, false, true), (62, false, false)] {
            pin.setInterrupt(number, level: level)
            #expect(lines.high == (expected ? [2] : []))
        }
    }

    @Test("Registers tell their sizes, move where the guest wants, and answer only while memory is enabled")
    func bars() throws {
        let bus = try Bus()
        // Of 64 bits and prefetchable; its upper half; of 32 bits; none.
        for (bar, value) in [
            (0x10 as UInt64, 0xFFFF_C00C as UInt64), (0x14, 0xFFFF_FFFF), (0x18, 0xFFFF_F000), (0x1C, 0),
        ] {
            bus.setConfig(bar, 0xFFFF_FFFF)
            #expect(bus.config(bar) == value)
        }
        bus.setConfig(0x14, 0)
        bus.place()
        // The number of queues.
        #expect(bus.read(Bus.window + 0x12, 2) == 1)
        bus.setConfig(0x10, 0x5000_0000)
        #expect(bus.read(Bus.window + 0x12, 2) == 0xFFFF)
        #expect(bus.read(0x5000_0012, 2) == 1)
        bus.setConfig(4, 0, 2)
        #expect(bus.read(0x5000_0012, 2) == 0xFFFF)
    }

    @Test("Registers of 64 bits answer above 4 GiB, in a window of their own, and nowhere else")
    func wideRegisters() throws {
        let bus = try Bus()
        bus.place()
        let base: UInt64 = 0x4_0000_0000
        let high = PCIWindow(name: "pci-high-window", host: bus.host, base: base)
        bus.setConfig(0x10, base | 0x8000, 8)
        #expect(high.read(offset: 0x8012, size: 2) == 1)
        #expect(high.read(offset: 0x4012, size: 2) == 0xFFFF)
        #expect(bus.read(Bus.window + 0x12, 2) == 0xFFFF)
        // The messages stay below: their register has no upper half.
        bus.setConfig(0x1C, .max)
        #expect(bus.config(0x1C) == 0)
        #expect(bus.read(Bus.window + 0x10_000C) == 1)
        // At the end of all addresses, and with only the upper half set.
        bus.setConfig(0x10, .max, 8)
        #expect(high.read(offset: 0x8012, size: 2) == 0xFFFF)
        bus.setConfig(0x10, base, 8)
        #expect(high.read(offset: 0x12, size: 2) == 1)
    }

    @Test("Registers over memory, over each other, over the end of the address space: none is reached from outside")
    func hostileBARs() throws {
        let bus = try Bus()
        bus.place()
        // Over memory: the address space asks memory first, and the window does not cover it.
        bus.setConfig(0x10, 0x8000_0000)
        #expect(bus.read(Bus.window + 0x12, 2) == 0xFFFF)
        // Both at one place: the first register answers.
        bus.setConfig(0x10, Bus.window + 0x10_0000)
        #expect(bus.read(Bus.window + 0x10_0012, 2) == 1)
        // At the very end; an access over the end of the register has nobody.
        bus.setConfig(0x10, 0x7FFF_C000)
        #expect(bus.read(0x7FFF_C012, 2) == 1)
        #expect(bus.read(0x7FFF_FFFC, 8) == UInt64.max)
        bus.setConfig(0x10, 0xFFFF_FFFF)
        bus.setConfig(0x18, 0)
        #expect(bus.read(Bus.window, 4) == 0xFFFF_FFFF)
    }

    @Test("Configuration accesses of every size and place are answered, and change nothing that is not the guest's")
    func oddAccesses() throws {
        let bus = try Bus()
        let before = (0..<0x40 as Range<UInt64>).map { bus.config(4 * $0) }
        for offset in 0..<0x1010 as Range<UInt64> {
            for size in [1, 2, 4, 8] where offset + UInt64(size) <= 0x1000 {
                _ = bus.config(offset, size)
                if offset < 0x10 || offset > 0x1B { bus.setConfig(offset, .max, size) }
            }
        }
        let after = (0..<0x40 as Range<UInt64>).map { bus.config(4 * $0) }
        // Identity, class, the absent registers, and the capabilities' list.
        for word in [0, 2, 7, 8, 9, 11, 12, 13] { #expect(after[word] == before[word], "word \(word)") }
        #expect(bus.config(1, 2) == 0x441A)
        #expect(bus.config(0xFF, 4) == bus.config(0xFF, 1))
    }

    @Test("The capabilities lead to every structure, and to the messages")
    func capabilities() throws {
        let bus = try Bus()
        #expect(bus.config(6, 2) & 0x10 != 0)
        var types: [UInt64] = []
        var at = bus.config(0x34, 1)
        while at != 0, types.count < 10 {
            let identifier = bus.config(at, 1)
            types.append(identifier == 9 ? bus.config(at + 3, 1) : identifier)
            at = bus.config(at + 1, 1)
        }
        #expect(types == [1, 2, 3, 4, 5, 0x11])
    }

    @Test("The window in configuration space reaches the registers, and only them")
    func configurationWindow() throws {
        let bus = try Bus()
        bus.place()
        var at = bus.config(0x34, 1)
        while bus.config(at + 3, 1) != 5 { at = bus.config(at + 1, 1) }
        bus.setConfig(at + 8, 0x12)
        bus.setConfig(at + 12, 2)
        #expect(bus.config(at + 16, 2) == 1)
        bus.setConfig(at + 8, 0x14)
        bus.setConfig(at + 12, 1)
        bus.setConfig(at + 16, 1, 1)
        #expect(bus.read(Bus.window + 0x14, 1) == 1)
        for (bar, offset, size) in [
            (1, 0, 4), (2, 0, 4), (0, 0x3FFE, 4), (0, 0x4000, 1), (0, 0xFFFF_FFFF, 4), (0, 0, 3), (9, 0, 4),
        ] {
            bus.setConfig(at + 4, UInt64(bar), 1)
            bus.setConfig(at + 8, UInt64(offset))
            bus.setConfig(at + 12, UInt64(size))
            bus.setConfig(at + 16, 0xFFFF_FFFF)
            _ = bus.config(at + 16)
        }
        #expect(bus.read(Bus.window + 0x14, 1) == 1)
    }

    private func enableMessages(_ bus: Bus, _ bits: UInt64 = 0x8000) {
        var at = bus.config(0x34, 1)
        while bus.config(at, 1) != 0x11 { at = bus.config(at + 1, 1) }
        bus.setConfig(at + 2, bits, 2)
    }

    /// Goes to DRIVER_OK with queue 0 at the beginning of memory.
    private func setUp(_ bus: Bus, vector: UInt64 = 0xFFFF) {
        let common = Bus.window
        for status in [0, 1, 3] as [UInt64] { bus.write(common + 0x14, status, 1) }
        bus.write(common + 0x08, 1)
        bus.write(common + 0x0C, 1)
        bus.write(common + 0x14, 11, 1)
        bus.write(common + 0x16, 0, 2)
        bus.write(common + 0x18, 8, 2)
        bus.write(common + 0x1A, vector, 2)
        bus.write(common + 0x20, 0x8000_0000)
        bus.write(common + 0x28, 0x8000_1000, 8)
        bus.write(common + 0x30, 0x8000_2000)
        bus.write(common + 0x1C, 1, 2)
        bus.write(common + 0x14, 15, 1)
    }

    /// Asks for 16 random bytes and waits until they are there.
    private func request(_ bus: Bus) throws {
        try bus.memory.store(UInt64(0x8000_3000), at: 0x8000_0000)
        try bus.memory.store(UInt64(16) | 2 << 32, at: 0x8000_0008)
        try bus.memory.storeRelease(1, at: 0x8000_1002)
        bus.write(Bus.window + 0x3000, 0, 2)
        while try bus.memory.loadAcquire(at: 0x8000_2002) != 1 { continue }
    }

    @Test("A queue's message is sent as the table says, and a masked one when it is unmasked")
    func messages() throws {
        let bus = try Bus()
        bus.place()
        enableMessages(bus)
        let table = Bus.window + 0x10_0000 + 16
        bus.write(table, 0xFEE0_1000, 8)
        bus.write(table + 8, 0x51)
        setUp(bus, vector: 1)
        #expect(bus.read(Bus.window + 0x1A, 2) == 1)
        try request(bus)
        // The entry is masked, as after a reset: the message is pending.
        while bus.read(Bus.window + 0x10_0800) != 2 { continue }
        #expect(bus.messages.all.isEmpty)
        bus.write(table + 12, 0)
        #expect(bus.messages.all == [InterruptMessage(address: 0xFEE0_1000, data: 0x51)])
        #expect(bus.read(Bus.window + 0x10_0800) == 0)
        #expect(bus.lines.high.isEmpty)
    }

    @Test("Without messages the pin is high until the status is read")
    func pin() throws {
        for hasMessages in [true, false] {
            let bus = try Bus(hasMessages: hasMessages)
            bus.place()
            setUp(bus)
            try request(bus)
            while bus.lines.high != [1] { continue }
            #expect(bus.config(6, 2) & 8 != 0)
            bus.setConfig(4, 0x406, 2)
            #expect(bus.lines.high.isEmpty)
            bus.setConfig(4, 6, 2)
            #expect(bus.lines.high == [1])
            #expect(bus.read(Bus.window + 0x1000, 1) == 1)
            #expect(bus.lines.high.isEmpty)
            #expect(bus.read(Bus.window + 0x1000, 1) == 0)
        }
    }

    @Test(
        "Nonsense in the table of messages does no harm: vectors that are not there, odd accesses, writes to pending bits"
    )
    func hostileMessages() throws {
        let bus = try Bus()
        bus.place()
        enableMessages(bus)
        setUp(bus, vector: 2)
        #expect(bus.read(Bus.window + 0x1A, 2) == 0xFFFF)
        let table = Bus.window + 0x10_0000
        for offset in 0..<0x1000 as Range<UInt64> {
            for size in [1, 2, 4, 8] where offset + UInt64(size) <= 0x1000 {
                bus.write(table + offset, .max, size)
                _ = bus.read(table + offset, size)
            }
        }
        // Two entries, whose addresses are multiples of 4 and whose control has one bit; nothing else keeps anything.
        #expect(bus.read(table) == 0xFFFF_FFFC)
        #expect(bus.read(table + 12) == 1)
        #expect(bus.read(table + 32) == 0)
        #expect(bus.read(table + 0x800) == 0)
        try request(bus)
        #expect(bus.messages.all.isEmpty)
    }

    @Test("A function comes back as it was saved, and a reset makes it new")
    func state() throws {
        let bus = try Bus()
        bus.place()
        enableMessages(bus)
        bus.write(Bus.window + 0x10_0010, 0xFEE0_2000, 8)
        bus.write(Bus.window + 0x10_0018, 0x77, 8)
        setUp(bus, vector: 1)
        bus.transport.pause()
        let record = try SavedRecord(encoded: try bus.transport.save().encoded(), limit: 1 << 20)
        let other = try Bus()
        try other.transport.restore(record)
        #expect(try other.transport.save() == record)
        #expect(other.read(Bus.window + 0x14, 1) == 15)
        #expect(other.read(Bus.window + 0x10_0018) == 0x77)
        other.transport.resume()
        try request(other)
        while other.messages.all != [InterruptMessage(address: 0xFEE0_2000, data: 0x77)] { continue }
        other.transport.pause()
        other.transport.reset()
        #expect(other.config(0x10, 8) == 0xC && other.config(4, 2) == 0)
        let foreign = try Bus(hasMessages: false)
        #expect(throws: SavedStateError.self) { try foreign.transport.restore(record) }
    }
}

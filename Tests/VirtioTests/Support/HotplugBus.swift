import GuestMemory
import Machine

@testable import PCI
@testable import Virtio
@testable import VirtioDevices

/// A bus with a root port as function 0 of device 31, as the driver of its slot sees it, and a function to plug in.
final class HotplugBus {
    static let window: UInt64 = 0x4000_0000
    private static let portPlace: UInt64 = 31 << 15
    static let bus: UInt64 = 5

    // Bits of slot status and control.
    static let button: UInt16 = 1 << 0
    static let presence: UInt16 = 1 << 3
    static let completed: UInt16 = 1 << 4
    static let isPresent: UInt16 = 1 << 6
    static let link: UInt16 = 1 << 8
    static let powerOff: UInt16 = 1 << 10
    /// What Linux enables: the button, completed commands, hot-plug interrupts, the state of the link.
    static let enabled: UInt16 = 1 << 0 | 1 << 4 | 1 << 5 | 1 << 12

    let memory: GuestMemory
    let messages = MessageRecorder()
    let lines = LineRecorder()
    let port: PCIRootPort
    let host: PCIHost
    let registers: PCIWindow
    let card: VirtioPCITransport

    init(hasMessages: Bool = false) throws {
        memory = try GuestMemory(ranges: [(0x8000_0000, 0x10_0000)])
        port = PCIRootPort(name: "pci-port1", slot: 1, messages: hasMessages ? messages : nil)
        let lines = self.lines
        host = PCIHost(
            name: "pci", functions: [], ports: [port],
            lines: (0..<4).map { InterruptLine(sink: lines, number: $0) })
        registers = PCIWindow(name: "pci-window", host: host, base: Self.window)
        card = Self.makeCard(memory)
        try card.start()
    }

    deinit { card.stop() }

    static func makeCard(_ memory: GuestMemory) -> VirtioPCITransport {
        VirtioPCITransport(
            name: "virtio-slot1", device: EntropyDevice(), memory: memory, messages: nil, isExpress: true,
            loop: TestLoop.shared)
    }

    // MARK: Configuration space

    func read(_ offset: Int, _ size: Int = 4) -> UInt64 {
        host.read(offset: Self.portPlace + UInt64(offset), size: size)
    }

    func write(_ offset: Int, _ value: UInt64, _ size: Int = 4) {
        host.write(offset: Self.portPlace + UInt64(offset), size: size, value: value)
    }

    /// A register of the function behind the port.
    func readCard(_ offset: UInt64, _ size: Int = 4) -> UInt64 {
        host.read(offset: Self.bus << 20 | offset, size: size)
    }

    func writeCard(_ offset: UInt64, _ value: UInt64, _ size: Int = 4) {
        host.write(offset: Self.bus << 20 | offset, size: size, value: value)
    }

    /// The offset of a capability of the port.
    func capability(_ identifier: UInt64) -> Int? {
        var place = Int(read(0x34, 1))
        while place != 0 {
            if read(place, 1) == identifier { return place }
            place = Int(read(place + 1, 1))
        }
        return nil
    }

    // MARK: The slot

    private var express: Int { capability(0x10) ?? 0 }

    var control: UInt16 {
        get { UInt16(read(express + 0x18, 2)) }
        set { write(express + 0x18, UInt64(newValue), 2) }
    }

    var status: UInt16 { UInt16(read(express + 0x1A, 2)) }
    var statusPlace: Int { express + 0x1A }
    var isLinkActive: Bool { read(express + 0x12, 2) & 1 << 13 != 0 }

    func clear(_ events: UInt16) { write(statusPlace, UInt64(events), 2) }

    /// Gives the buses numbers, opens the windows, and listens to the slot.
    func setUp() {
        write(0x18, Self.bus << 16 | Self.bus << 8)
        // 1 MiB from the window's beginning on.
        write(0x20, Self.window >> 16 | Self.window)
        write(4, 6, 2)
        clear(0xFFFF)
        control = Self.enabled | control & Self.powerOff
        clear(0xFFFF)
    }

    /// Gives the slot power and the function its place.
    func accept() {
        control &= ~Self.powerOff
        clear(0xFFFF)
        writeCard(0x10, Self.window, 8)
        writeCard(4, 6, 2)
    }

    /// The number of queues, in the function's registers.
    var queueCount: UInt64 { registers.read(offset: 0x12, size: 2) }
    var deviceStatus: UInt64 {
        get { registers.read(offset: 0x14, size: 1) }
        set { registers.write(offset: 0x14, size: 1, value: newValue) }
    }
}

import HostSystem
import Machine
import TestSupport
import Testing

@testable import PCI
@testable import Virtio
@testable import VirtioDevices

@Suite("Root ports and their hot-plug slots") struct RootPortTests {
    typealias Bits = HotplugBus

    @Test("An empty port is a bridge with a hot-plug slot without power, and nothing is behind it")
    func empty() throws {
        let bus = try HotplugBus()
        #expect(bus.read(0) == 0x000C_1B36)
        #expect(bus.read(8) == 0x0604_0000)
        #expect(bus.read(0x0E, 1) == 1)
        let express = try #require(bus.capability(0x10))
        // Version 2, a root port, with a slot.
        #expect(bus.read(express + 2, 2) == 0x0142)
        // Number 1; hot-plug, both indicators, power controller, button.
        #expect(bus.read(express + 0x14) == 1 << 19 | 0x5B)
        #expect(bus.control == Bits.powerOff)
        #expect(bus.status == 0)
        #expect(!bus.isLinkActive)
        bus.setUp()
        #expect(bus.readCard(0) == 0xFFFF_FFFF)
        #expect(bus.lines.high == [])
    }

    @Test("Ports have a device of their own, unless other functions take it")
    func room() throws {
        let counts = [0, 1, 30, 31, 32, 60, 61, 62]
        #expect(counts.filter { PCIHost.hasRoomForPorts(functions: $0) } == [0, 1, 30, 32, 60])
        let memory = try HotplugBus().memory
        for count in [30, 60] {
            let functions = (0..<count).map { _ in HotplugBus.makeCard(memory) }
            let ports = (1...4).map { PCIRootPort(name: "pci-port\($0)", slot: $0, messages: nil) }
            let lines = LineRecorder()
            let host = PCIHost(
                name: "pci", functions: functions, ports: ports,
                lines: (0..<4).map { InterruptLine(sink: lines, number: $0) })
            for number in 0..<8 as Range<UInt64> {
                let found = host.read(offset: 31 << 15 | number << 12, size: 4)
                #expect(found == (number < 4 ? 0x000C_1B36 : 0xFFFF_FFFF))
            }
            // A bridge, of several functions.
            #expect(host.read(offset: 31 << 15 | 0x0E, size: 1) == 0x81)
            let last: UInt64 = count == 30 ? 30 << 15 : 30 << 15 | 1 << 12
            #expect(host.read(offset: last, size: 4) == 0x1044_1AF4)
        }
    }

    @Test(
        "A function that is plugged in presses the button, and is there when the guest gives it power, a bus and a window"
    )
    func plugging() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        #expect(bus.status == Bits.button | Bits.presence | Bits.isPresent)
        #expect(bus.lines.high == [3])
        #expect(bus.read(6, 1) & 8 != 0)
        bus.clear(Bits.button | Bits.presence)
        #expect(bus.status == Bits.isPresent)
        #expect(bus.lines.high == [])
        #expect(bus.readCard(0) == 0xFFFF_FFFF)
        bus.control = Bits.enabled
        #expect(bus.status == Bits.completed | Bits.link | Bits.isPresent)
        #expect(bus.isLinkActive)
        #expect(bus.lines.high == [3])
        bus.accept()
        #expect(bus.lines.high == [])
        #expect(bus.readCard(0) == 0x1044_1AF4)
        // The only device of its bus, with the capability of an endpoint.
        #expect(bus.readCard(1 << 12) == 0xFFFF_FFFF)
        #expect(bus.readCard(1 << 15) == 0xFFFF_FFFF)
        #expect(bus.queueCount == 1)
        #expect(!bus.port.isFree)
    }

    @Test("The guest lets go of a function by switching its slot's power off: then it is gone, and as at power-on")
    func removal() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.accept()
        bus.deviceStatus = 1
        #expect(bus.port.askRemoval())
        #expect(!bus.port.askRemoval())
        #expect(bus.status == Bits.button | Bits.isPresent)
        #expect(bus.lines.high == [3])
        #expect(bus.queueCount == 1)
        bus.clear(Bits.button)
        #expect(bus.port.take() == nil)
        bus.control |= Bits.powerOff
        #expect(bus.port.waitForRelease(until: 0))
        #expect(bus.status == Bits.completed | Bits.link | Bits.presence)
        #expect(bus.queueCount == 0xFFFF)
        #expect(bus.readCard(0) == 0xFFFF_FFFF)
        #expect(!bus.port.isFree)
        #expect(bus.port.take() === bus.card)
        #expect(bus.port.isFree)
        #expect(bus.card.read(bar: 0, offset: 0x14, size: 1) == 0)
        #expect(bus.card.configuration.command == 0)
    }

    @Test("A guest that does not let go keeps the function, also when it switches the power off too late")
    func refusal() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.accept()
        #expect(bus.port.askRemoval())
        #expect(!bus.port.waitForRelease(until: HostClock.monotonic()))
        #expect(bus.queueCount == 1)
        bus.control |= Bits.powerOff
        #expect(bus.port.take() == nil)
        #expect(bus.status & Bits.isPresent != 0)
        // A slot without power has let go of its function at once.
        #expect(bus.port.askRemoval())
        #expect(bus.port.waitForRelease(until: 0))
        #expect(bus.port.take() === bus.card)
    }

    @Test("Whoever waits for the guest is woken by its power-off, and by the machine's end")
    func waiting() async throws {
        for ends in [false, true] {
            let bus = try HotplugBus()
            bus.setUp()
            bus.port.plug(bus.card)
            bus.accept()
            #expect(bus.port.askRemoval())
            let port = bus.port
            async let isReleased = onOwnThread { port.waitForRelease(until: .max / 2) }
            if ends { bus.port.stop() } else { bus.control |= Bits.powerOff }
            #expect(try await isReleased == !ends)
        }
    }

    @Test("A slot whose power goes off and on in a loop resets its function each time, and loses nothing")
    func toggling() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        for _ in 0..<200 {
            bus.accept()
            #expect(bus.deviceStatus == 0)
            bus.deviceStatus = 1
            #expect(bus.deviceStatus == 1)
            bus.control |= Bits.powerOff
            #expect(bus.queueCount == 0xFFFF)
            #expect(!bus.isLinkActive)
        }
        bus.accept()
        #expect(bus.queueCount == 1)
    }

    @Test("A reset of the secondary bus, and a link that is switched off, reset the function")
    func busReset() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.accept()
        bus.deviceStatus = 1
        bus.write(0x3E, 0x40, 2)
        bus.write(0x3E, 0, 2)
        #expect(bus.queueCount == 0xFFFF)
        bus.accept()
        #expect(bus.deviceStatus == 0)
        bus.deviceStatus = 1
        let express = try #require(bus.capability(0x10))
        bus.write(express + 0x10, 0x10, 2)
        #expect(!bus.isLinkActive)
        #expect(bus.readCard(0) == 0xFFFF_FFFF)
        bus.write(express + 0x10, 0, 2)
        #expect(bus.isLinkActive)
        bus.accept()
        #expect(bus.deviceStatus == 0)
    }

    @Test("A reset of the machine keeps the function in the slot, with power, and lets go of one that was asked for")
    func reset() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.accept()
        bus.port.reset()
        #expect(bus.control == 0)
        #expect(bus.status == Bits.isPresent)
        #expect(bus.isLinkActive)
        #expect(bus.readCard(0) == 0xFFFF_FFFF)
        bus.setUp()
        bus.accept()
        #expect(bus.queueCount == 1)
        #expect(bus.port.askRemoval())
        bus.port.reset()
        #expect(bus.control == Bits.powerOff)
        #expect(bus.status == 0)
        #expect(bus.port.waitForRelease(until: 0))
        #expect(bus.port.take() === bus.card)
    }

    @Test(
        "The bridge forwards what is in its windows while memory is enabled, and its bus has the number that the guest gives"
    )
    func forwarding() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.accept()
        // The window ends 1 MiB above its beginning.
        bus.writeCard(0x10, HotplugBus.window + 0x10_0000, 8)
        #expect(bus.registers.read(offset: 0x10_0012, size: 2) == 0xFFFF)
        // The prefetchable window has 64 bits, and may overlap the other one.
        let high: UInt64 = 0x4_0000_0000
        bus.write(0x24, 0xFFF1_0001)
        bus.write(0x28, high >> 32)
        bus.write(0x2C, high >> 32)
        #expect(bus.read(0x24) == 0xFFF1_0001)
        let window = PCIWindow(name: "pci-high-window", host: bus.host, base: high)
        bus.writeCard(0x10, high + 0x4000, 8)
        #expect(window.read(offset: 0x4012, size: 2) == 1)
        bus.write(4, 0, 2)
        #expect(window.read(offset: 0x4012, size: 2) == 0xFFFF)
        bus.write(4, 6, 2)
        bus.write(0x18, 7 << 16 | 7 << 8)
        #expect(bus.readCard(0) == 0xFFFF_FFFF)
        #expect(bus.host.read(offset: 7 << 20, size: 4) == 0x1044_1AF4)
        // Bus 0 stays the root's.
        bus.write(0x18, 0)
        #expect(bus.host.read(offset: 0, size: 4) == 0x0008_1B36)
    }

    @Test("An event is cleared by a 1 in its own byte, and by nothing else")
    func clearing() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.control &= ~Bits.powerOff
        let all = Bits.button | Bits.presence | Bits.completed | Bits.link | Bits.isPresent
        #expect(bus.status == all)
        bus.clear(0)
        #expect(bus.status == all)
        bus.write(bus.statusPlace + 1, 0x01, 1)
        #expect(bus.status == all & ~Bits.link)
        bus.write(bus.statusPlace, 0x41, 1)
        #expect(bus.status == all & ~(Bits.link | Bits.button))
        // With the control in one access, the command completes after that.
        bus.write(bus.statusPlace - 2, 0xFFFF << 16 | UInt64(Bits.enabled), 4)
        #expect(bus.control == Bits.enabled)
        #expect(bus.status == Bits.completed | Bits.isPresent)
    }

    @Test("A message is sent each time that events begin to stand, and the pin is low then")
    func messages() throws {
        let bus = try HotplugBus(hasMessages: true)
        bus.setUp()
        let message = try #require(bus.capability(0x05))
        bus.write(message + 4, 0xFFFF_FFFF_2800_0003, 8)
        bus.write(message + 12, 0x1_0007)
        bus.write(message + 2, 1, 2)
        #expect(bus.read(message + 2, 2) == 0x81)
        let expected = InterruptMessage(address: 0xFFFF_FFFF_2800_0000, data: 7)
        bus.port.plug(bus.card)
        #expect(bus.messages.all == [expected])
        bus.control &= ~Bits.powerOff
        bus.clear(Bits.button)
        #expect(bus.messages.all == [expected])
        bus.clear(0xFFFF)
        #expect(bus.port.askRemoval())
        #expect(bus.messages.all == [expected, expected])
        #expect(bus.lines.high == [])
        // Without messages, the pin follows; a driver may switch it off.
        bus.write(message + 2, 0, 2)
        #expect(bus.lines.high == [3])
        bus.write(4, 0x406, 2)
        #expect(bus.lines.high == [])
        #expect(bus.messages.all.count == 2)
    }

    @Test("The pins of a port and of the function behind it share a line")
    func sharedPin() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.clear(0xFFFF)
        #expect(bus.lines.high == [])
        bus.accept()
        bus.deviceStatus = 15
        bus.card.signals.signalConfigurationChange()
        #expect(bus.lines.high == [3])
        #expect(bus.registers.read(offset: 0x1000, size: 1) == 2)
        #expect(bus.lines.high == [])
    }

    @Test("Accesses of every size and place to a port change nothing that is not the guest's")
    func oddAccesses() throws {
        let bus = try HotplugBus()
        bus.port.plug(bus.card)
        let before = (0..<0x40).map { bus.read(4 * $0) }
        for offset in 0..<0x110 {
            for size in [1, 2, 4, 8] {
                _ = bus.read(offset, size)
                bus.write(offset, .max, size)
            }
        }
        for word in [0, 2, 4, 5, 7, 12, 13, 14] { #expect(bus.read(4 * word) == before[word], "word \(word)") }
        #expect(bus.port.function === bus.card)
    }

    @Test("Random accesses of a guest, while functions come and go, leave the port as it should be")
    func randomAccesses() throws {
        var random = SeededGenerator(seed: 12)
        let bus = try HotplugBus(hasMessages: true)
        for _ in 0..<30_000 {
            let (value, offset) = (random.next(), Int(random.next() % 0x100))
            let size = [1, 2, 4, 8][Int(random.next() % 4)]
            switch random.next() % 12 {
            case 0: if bus.port.isFree { bus.port.plug(bus.card) }
            case 1: _ = bus.port.askRemoval()
            case 2: _ = bus.port.waitForRelease(until: 0)
            case 3: #expect(bus.port.take().map { $0 === bus.card } ?? true)
            case 4 where value % 64 == 0: bus.port.reset()
            case 5: bus.setUp()
            case 6: bus.writeCard(UInt64(offset), value, size)
            case 7: bus.registers.write(offset: value % 0x10_0000, size: size, value: value >> 20)
            case 8: _ = bus.registers.read(offset: value % 0x10_0000, size: size)
            default: bus.write(offset, value, size)
            }
        }
        bus.port.reset()
        if bus.port.waitForRelease(until: 0) { _ = bus.port.take() }
        if bus.port.isFree { bus.port.plug(bus.card) }
        bus.setUp()
        bus.accept()
        #expect(bus.queueCount == 1)
        #expect(bus.deviceStatus == 0)
    }
}

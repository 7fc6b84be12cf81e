import SavedState
import Testing

@testable import PCI
@testable import Virtio

@Suite("The saved state of root ports") struct RootPortStateTests {
    typealias Bits = HotplugBus

    @Test("A restored port has the saved registers, and the function behind it goes on")
    func restoring() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.accept()
        bus.deviceStatus = 1
        #expect(bus.port.askRemoval())
        let saved = try bus.port.save()
        let copy = try HotplugBus()
        copy.port.insert(copy.card)
        try copy.port.restore(SavedRecord(encoded: saved.encoded(), limit: 1 << 20))
        #expect(copy.control == bus.control)
        #expect(copy.status == Bits.button | Bits.isPresent)
        #expect(copy.lines.high == [3])
        #expect(copy.deviceStatus == 1)
        // Nobody has asked the copy's guest.
        copy.control |= Bits.powerOff
        #expect(copy.status & Bits.isPresent != 0)
        #expect(!copy.port.isFree)
    }

    @Test("A function of which the saved guest had let go comes anew; one that is missing is refused")
    func differences() throws {
        let bus = try HotplugBus()
        bus.setUp()
        bus.port.plug(bus.card)
        bus.accept()
        #expect(bus.port.askRemoval())
        bus.control |= Bits.powerOff
        bus.clear(0xFFFF)
        let released = try bus.port.save()
        let copy = try HotplugBus()
        copy.port.insert(copy.card)
        try copy.port.restore(released)
        #expect(copy.status == Bits.button | Bits.presence | Bits.isPresent)
        copy.accept()
        #expect(copy.queueCount == 1)
        let occupied = try copy.port.save()
        let empty = try HotplugBus()
        #expect(throws: SavedStateError.badField(kind: "pci-root-port", field: "isOccupied")) {
            try empty.port.restore(occupied)
        }
    }

    @Test("Changed bits of the read-only registers are refused, and wild events are cut off")
    func wild() throws {
        let bus = try HotplugBus()
        let saved = try bus.port.save()
        func changed(_ record: SavedRecord, _ field: String, _ value: SavedValue) -> SavedRecord {
            var copy = SavedRecord(kind: record.kind, version: record.version)
            for (name, old) in record.fields { copy.set(name, name == field ? value : old) }
            return copy
        }
        try bus.port.restore(changed(saved, "events", .unsigned(0xFFFF)))
        #expect(bus.status == Bits.button | Bits.presence | Bits.completed | Bits.link)
        let configuration = try saved.record("configuration")
        var bytes = try configuration.bytes("bytes", limit: 256)
        bytes[0] ^= 1
        let wild = changed(saved, "configuration", .record(changed(configuration, "bytes", .bytes(bytes))))
        #expect(throws: SavedStateError.badField(kind: "pci-configuration", field: "bytes")) {
            try bus.port.restore(wild)
        }
    }
}

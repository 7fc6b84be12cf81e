package import GuestMemory
internal import Machine
package import SavedState
internal import Synchronization

/// QEMU's firmware configuration device with memory-mapped registers (`qemu,fw-cfg-mmio`): a way for firmware to read
/// what the host provides.
///
///     offset  register
///       0x00  data, 1 to 8 bytes: the next bytes of the selected item, in order (read only)
///       0x08  selector, 16 bits, big endian (write only)
///       0x10  DMA address, 64 bits, big endian; reads as "QEMU CFG". Writing the low half starts the transfer.
///
/// A transfer is described by 16 bytes in guest memory, big endian: control (32 bits), length (32), address (64). Items
/// are never written; a transfer that asks for it reports an error.
package final class FirmwareConfiguration: MemoryMappedDevice {
    package static let size: UInt64 = 0x18
    private static let kind = "fw-cfg"
    private static let dmaSignature: UInt64 = 0x5145_4D55_2043_4647

    private enum Control {
        static let error: UInt32 = 1 << 0
        static let read: UInt32 = 1 << 1
        static let skip: UInt32 = 1 << 2
        static let select: UInt32 = 1 << 3
        static let write: UInt32 = 1 << 4
    }

    package let name: String
    private let memory: GuestMemory
    private let items: FirmwareConfigurationItems
    private let state = Mutex(Selection())

    private struct Selection: Sendable {
        var key: UInt16 = 0
        var position: UInt64 = 0
        /// The high half of the DMA address, kept until the low half comes.
        var addressHigh: UInt32 = 0

        mutating func select(_ key: UInt16) {
            self.key = key
            position = 0
        }
    }

    package init(name: String, memory: GuestMemory, items: FirmwareConfigurationItems) {
        self.name = name
        self.memory = memory
        self.items = items
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        switch offset {
        case 0 where [1, 2, 4, 8].contains(size): readData(size)
        case 0x10 where size == 8: Self.dmaSignature.byteSwapped
        case 0x10 where size == 4: UInt64(UInt32(Self.dmaSignature >> 32).byteSwapped)
        case 0x14 where size == 4: UInt64(UInt32(truncatingIfNeeded: Self.dmaSignature).byteSwapped)
        default: 0
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        let word = UInt32(truncatingIfNeeded: value).byteSwapped
        switch offset {
        case 0x08 where size == 2:
            state.withLock { $0.select(UInt16(truncatingIfNeeded: value).byteSwapped) }
        case 0x10 where size == 8:
            state.withLock { transfer(at: value.byteSwapped, &$0) }
        case 0x10 where size == 4:
            state.withLock { $0.addressHigh = word }
        case 0x14 where size == 4:
            state.withLock { transfer(at: UInt64($0.addressHigh) << 32 | UInt64(word), &$0) }
        default: break
        }
    }

    private func readData(_ size: Int) -> UInt64 {
        state.withLock { state in
            var value: UInt64 = 0
            for index in 0..<size {
                value |= UInt64(items.byte(state.key, at: state.position)) << UInt64(8 * index)
                state.position &+= 1
            }
            return value
        }
    }

    // MARK: DMA

    private func transfer(at address: UInt64, _ state: inout Selection) {
        state.addressHigh = 0
        // Without a descriptor there is nowhere to report an error.
        guard let control = try? UInt32(bigEndian: memory.load(at: address)),
            let length = try? UInt32(bigEndian: memory.load(at: address &+ 4)),
            let target = try? UInt64(bigEndian: memory.load(at: address &+ 8))
        else { return }
        if control & Control.select != 0 { state.select(UInt16(control >> 16)) }
        var result: UInt32 = 0
        if control & Control.read != 0 {
            result = copy(&state, length: UInt64(length), to: target) ? 0 : Control.error
        } else if control & Control.write != 0 {
            result = Control.error
        } else if control & Control.skip != 0 {
            state.position &+= UInt64(length)
        }
        try? memory.store(result.bigEndian, at: address)
    }

    /// Copies the next `length` bytes of the item to guest memory, zeros after its end; false when they do not fit there.
    private func copy(_ state: inout Selection, length: UInt64, to target: UInt64) -> Bool {
        guard length > 0 else { return true }
        guard memory.hostAddress(of: target, count: length) != nil else { return false }
        let bytes = items.bytes(state.key, at: state.position, count: Int(length))
        do {
            try bytes.withUnsafeBytes { try memory.write($0, at: target) }
            let rest = length - UInt64(bytes.count)
            if rest > 0 { try memory.clear(at: target + UInt64(bytes.count), count: rest) }
        } catch {
            return false
        }
        state.position &+= length
        return true
    }

    // MARK: Lifecycle

    package func reset() {
        state.withLock { $0 = Selection() }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        let selection = state.withLock { $0 }
        record.set("key", selection.key)
        record.set("position", selection.position)
        record.set("addressHigh", selection.addressHigh)
        record.set("itemsChecksum", items.checksum)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        guard try record.integer("itemsChecksum") == items.checksum else {
            throw .badField(kind: Self.kind, field: "itemsChecksum")
        }
        let selection = Selection(
            key: try record.integer("key"), position: try record.integer("position"),
            addressHigh: try record.integer("addressHigh"))
        state.withLock { $0 = selection }
    }
}

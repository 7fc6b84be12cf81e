package import SavedState
internal import Synchronization

/// The configuration space of a function (PCI Local Bus 3.0, section 6.1; PCI Express Base, 7.5). A header of type 0:
///
///     00 vendor, device     10 base address registers, six of 4 bytes     34 first capability
///     04 command, status    2C subsystem's vendor, and subsystem          3C interrupt line, pin
///     08 revision, class    30 expansion ROM (none)                       40 capabilities
///
/// A header of type 1, of a bridge (PCI-to-PCI Bridge 1.2, section 3.2), differs in these registers:
///
///     18 primary, secondary, subordinate bus     28 upper halves of the prefetchable window
///     20 memory window, base and limit           3E bridge control
///     24 prefetchable window, base and limit
///
/// Masks select the bits that the guest can write. Accesses in the first 256 bytes have any size and alignment; bytes beyond
/// read as zero.
package final class PCIConfiguration: Sendable {
    package static let size = 256

    package enum Command {
        package static let memory: UInt16 = 1 << 1
        package static let busMaster: UInt16 = 1 << 2
        package static let interruptDisable: UInt16 = 1 << 10
        static let writable = memory | busMaster | interruptDisable
    }

    /// Registers of a header of type 1.
    package enum Bridge {
        package static let buses = 0x18
        package static let memory = 0x20
        package static let prefetchable = 0x24
        package static let prefetchableUpper = 0x28
        package static let control = 0x3E
        /// The bit of `control` that resets the secondary bus.
        package static let secondaryReset: UInt16 = 1 << 6
    }

    private static let commandOffset = 0x04
    private static let statusOffset = 0x06
    private static let headerTypeOffset = 0x0E
    private static let multifunction: UInt8 = 1 << 7
    private static let firstBAR = 0x10
    private static let interruptPinOffset = 0x3D
    private static let capabilityList: UInt8 = 1 << 4
    private static let interruptStatus: UInt8 = 1 << 3

    private struct State {
        var bytes: [UInt8]
        var masks: [UInt8]
        struct BAR {
            /// Bytes; 0 for a missing register and for the upper half of a 64-bit register.
            var size: UInt64 = 0
            var isWide = false
        }

        var bars = Array(repeating: BAR(), count: 6)
        /// Read-only bits that the function changes.
        var volatile: [UInt8]
        var lastCapability: Int?
        var nextCapability = 0x40
        /// The bytes at power-on.
        var initial: [UInt8] = []

        init() {
            bytes = Array(repeating: 0, count: PCIConfiguration.size)
            (masks, volatile) = (bytes, bytes)
        }
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - classCode: class, subclass and programming interface, as 0xCCSSPP.
    package init(
        vendor: UInt16, device: UInt16, revision: UInt8, classCode: UInt32, subsystemVendor: UInt16, subsystem: UInt16,
        hasInterruptPin: Bool
    ) {
        var state = Self.common(vendor, device, revision, classCode, hasInterruptPin: hasInterruptPin)
        state.bytes.put(subsystemVendor, at: 0x2C)
        state.bytes.put(subsystem, at: 0x2E)
        state.initial = state.bytes
        self.state = Mutex(state)
    }

    /// The configuration space of a bridge with a memory window and a prefetchable one of 64 bits, and without I/O ports behind it.
    package init(bridge vendor: UInt16, device: UInt16, revision: UInt8) {
        var state = Self.common(vendor, device, revision, 0x06_0400, hasInterruptPin: true)
        state.bytes[Self.headerTypeOffset] = 1
        state.masks.put(0xFF_FFFF as UInt32, at: Bridge.buses)
        state.masks.put(0xFFF0_FFF0 as UInt32, at: Bridge.memory)
        state.masks.put(0xFFF0_FFF0 as UInt32, at: Bridge.prefetchable)
        // Bit 0 of base and limit: 64 bits.
        state.bytes.put(0x0001_0001 as UInt32, at: Bridge.prefetchable)
        state.masks.put(UInt32.max, at: Bridge.prefetchableUpper)
        state.masks.put(UInt32.max, at: Bridge.prefetchableUpper + 4)
        // Storage, but for the reset of the secondary bus, which the function carries out.
        state.masks.put(0x007B as UInt16, at: Bridge.control)
        state.initial = state.bytes
        self.state = Mutex(state)
    }

    private static func common(
        _ vendor: UInt16, _ device: UInt16, _ revision: UInt8, _ classCode: UInt32, hasInterruptPin: Bool
    ) -> State {
        var state = State()
        state.bytes.put(vendor, at: 0x00)
        state.bytes.put(device, at: 0x02)
        state.bytes.put(UInt32(revision) | classCode << 8, at: 0x08)
        state.bytes[interruptPinOffset] = hasInterruptPin ? 1 : 0
        state.masks.put(Command.writable, at: commandOffset)
        // Cache line size and interrupt line are storage for the guest.
        state.masks[0x0C] = 0xFF
        state.masks[0x3C] = 0xFF
        return state
    }

    // MARK: Composition

    /// Where a guest may place what is behind a base address register.
    package enum BARKind: Sendable {
        /// Below 4 GiB, not prefetchable.
        case low
        /// Anywhere, prefetchable: it takes the next register as well.
        case wide
    }

    /// Adds a base address register.
    ///
    /// - Parameter size: bytes, a power of two from 4096 on, so that no two share a page.
    package func addBAR(_ index: Int, size: UInt32, kind: BARKind = .low) {
        precondition(size >= 4096 && size & (size - 1) == 0, "a BAR is a power of two, of a page at least")
        precondition(index < (kind == .wide ? 5 : 6), "there are six base address registers")
        state.withLock { state in
            let place = Self.firstBAR + 4 * index
            state.bars[index] = State.BAR(size: UInt64(size), isWide: kind == .wide)
            state.masks.put(~(size - 1), at: place)
            guard kind == .wide else { return }
            // Bits 2 and 1: 64 bits; bit 3: prefetchable.
            state.bytes[place] = 0b1100
            state.masks.put(UInt32.max, at: place + 4)
            state.initial = state.bytes
        }
    }

    /// Adds a capability: its identifier, the link to the next capability, then `body`.
    ///
    /// - Parameter writable: masks for the bytes of `body`; missing ones are 0.
    /// - Returns: the capability's offset.
    package func addCapability(_ identifier: UInt8, _ body: [UInt8], writable: [UInt8] = []) -> Int {
        state.withLock { state in
            let offset = state.nextCapability
            let end = offset + 2 + body.count
            precondition(end <= Self.size, "capabilities fit the configuration space")
            state.bytes[offset] = identifier
            state.bytes.replaceSubrange(offset + 2..<end, with: body)
            state.masks.replaceSubrange(offset + 2..<offset + 2 + writable.count, with: writable)
            state.bytes[state.lastCapability.map { $0 + 1 } ?? 0x34] = UInt8(offset)
            state.bytes[Self.statusOffset] |= Self.capabilityList
            state.lastCapability = offset
            state.nextCapability = (end + 3) & ~3
            state.initial = state.bytes
            return offset
        }
    }

    /// Says that the device has further functions.
    func setMultifunction() {
        state.withLock { state in
            state.bytes[Self.headerTypeOffset] |= Self.multifunction
            state.initial = state.bytes
        }
    }

    /// Lets the guest write bits of registers that the function has below 0x100 besides those of the header, in addition to what it may write
    /// already. The registers are 0 at power-on.
    package func allowWriting(_ masks: [UInt8], at offset: Int) {
        state.withLock { state in
            for (index, mask) in masks.enumerated() { state.masks[offset + index] |= mask }
        }
    }

    /// Says which read-only bits of registers below 0x100 the function changes with `set`.
    package func makeVolatile(_ masks: [UInt8], at offset: Int) {
        state.withLock { state in
            for (index, mask) in masks.enumerated() { state.volatile[offset + index] |= mask }
        }
    }

    // MARK: Accesses

    /// Reads 1 to 8 bytes, little endian.
    package func read(at offset: Int, size: Int) -> UInt64 {
        state.withLock { state in
            (0..<size).reduce(0) { value, index in
                guard offset + index < Self.size else { return value }
                return value | UInt64(state.bytes[offset + index]) << (8 * UInt64(index))
            }
        }
    }

    /// Writes the writable bits of 1 to 8 bytes, little endian.
    package func write(at offset: Int, size: Int, value: UInt64) {
        state.withLock { state in
            for index in 0..<size where offset + index < Self.size {
                let place = offset + index
                let mask = state.masks[place]
                let byte = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
                state.bytes[place] = state.bytes[place] & ~mask | byte & mask
            }
        }
    }

    /// Sets bytes on behalf of the device, regardless of the masks.
    package func set(_ bytes: [UInt8], at offset: Int) {
        state.withLock { $0.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
    }

    package var command: UInt16 { UInt16(truncatingIfNeeded: read(at: Self.commandOffset, size: 2)) }

    /// Sets or clears the interrupt status bit: the function asserts its pin.
    package func setInterruptStatus(_ isAsserted: Bool) {
        state.withLock { state in
            if isAsserted {
                state.bytes[Self.statusOffset] |= Self.interruptStatus
            } else {
                state.bytes[Self.statusOffset] &= ~Self.interruptStatus
            }
        }
    }

    /// The guest-physical address of a base address register; nil while memory decoding is off or the register is 0.
    package func address(ofBAR index: Int) -> UInt64? {
        state.withLock { state in
            guard state.bytes[Self.commandOffset] & UInt8(Command.memory) != 0 else { return nil }
            return Self.base(ofBAR: index, state)
        }
    }

    /// The address in a base address register; nil for 0, the value before the guest sets it.
    private static func base(ofBAR index: Int, _ state: borrowing State) -> UInt64? {
        let bar = state.bars[index]
        var register: UInt64 = 0
        for byte in 0..<(bar.isWide ? 8 : 4) {
            register |= UInt64(state.bytes[firstBAR + 4 * index + byte]) << UInt64(8 * byte)
        }
        let base = register & ~(bar.size &- 1)
        return base == 0 ? nil : base
    }

    /// The base address register that decodes `address`, and the offset in it; nil when there is none.
    func bar(at address: UInt64, size: Int) -> (index: Int, offset: UInt64)? {
        state.withLock { state in
            guard state.bytes[Self.commandOffset] & UInt8(Command.memory) != 0 else { return nil }
            for (index, bar) in state.bars.enumerated() where bar.size > 0 {
                guard let base = Self.base(ofBAR: index, state), address >= base, address - base < bar.size,
                    UInt64(size) <= bar.size - (address - base)
                else { continue }
                return (index, address - base)
            }
            return nil
        }
    }

    // MARK: Bridges

    /// The number of the bus behind the bridge; 0 before the guest sets it.
    var secondaryBus: Int { Int(read(at: Bridge.buses + 1, size: 1)) }

    /// Whether the bridge forwards `size` bytes at `address` to its secondary bus: they are in one of its windows, which are whole
    /// megabytes.
    func forwards(_ address: UInt64, size: Int) -> Bool {
        state.withLock { state in
            guard state.bytes[Self.commandOffset] & UInt8(Command.memory) != 0 else { return false }
            func field(_ offset: Int, _ count: Int) -> UInt64 {
                (0..<count).reduce(0) { $0 | UInt64(state.bytes[offset + $1]) << UInt64(8 * $1) }
            }
            func contains(_ offset: Int, _ upperBase: UInt64, _ upperLimit: UInt64) -> Bool {
                let base = upperBase << 32 | (field(offset, 2) & 0xFFF0) << 16
                let limit = upperLimit << 32 | (field(offset + 2, 2) & 0xFFF0) << 16 | 0xF_FFFF
                return address >= base && address <= limit && UInt64(size - 1) <= limit - address
            }
            return contains(Bridge.memory, 0, 0)
                || contains(
                    Bridge.prefetchable, field(Bridge.prefetchableUpper, 4), field(Bridge.prefetchableUpper + 4, 4))
        }
    }

    // MARK: State

    package func reset() {
        state.withLock { $0.bytes = $0.initial }
    }

    package func save() -> SavedRecord {
        var record = SavedRecord(kind: "pci-configuration", version: 2)
        record.set("bytes", state.withLock { $0.bytes })
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        // Version 1 belongs to functions with 32-bit base address registers.
        try record.expect(kind: "pci-configuration", versions: 2...2)
        let bytes = try record.bytes("bytes", limit: Self.size)
        guard bytes.count == Self.size else { throw .badField(kind: record.kind, field: "bytes") }
        let isOurs = state.withLock { state in
            // Read-only bits must equal this function's; the interrupt status bit follows its pin.
            let isOurs = bytes.indices.allSatisfy { index in
                index == Self.statusOffset
                    || (bytes[index] ^ state.initial[index]) & ~(state.masks[index] | state.volatile[index]) == 0
            }
            if isOurs { state.bytes = bytes }
            return isOurs
        }
        guard isOurs else { throw .badField(kind: record.kind, field: "bytes") }
    }
}

extension Array where Element == UInt8 {
    fileprivate mutating func put<Integer: FixedWidthInteger>(_ value: Integer, at offset: Int) {
        for index in 0..<MemoryLayout<Integer>.size {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> Integer(8 * index))
        }
    }
}

import Support

/// The registers of a guest's virtio device: the MMIO transport, version 2 (VIRTIO 1.2, section 4.2.2).
struct VirtioRegisters {
    static let driverOK: UInt32 = 4
    static let featuresOK: UInt32 = 8
    static let needsReset: UInt32 = 64
    static let version1: UInt64 = 1 << 32
    static let size: UInt64 = 0x1000

    /// What a store asks of the device.
    enum Order {
        case none, reset
        case notification(Int)
    }

    let deviceID: UInt32
    let queueCount: Int
    var offered: UInt64
    private var status: UInt32 = 0
    private var accepted: UInt64 = 0
    private var deviceSelect: UInt32 = 0
    private var driverSelect: UInt32 = 0
    private var queueSelect = 0
    private var interruptStatus: UInt32 = 0
    var queues = InlineArray<2, VirtualQueue>(repeating: VirtualQueue())

    init(deviceID: UInt32, queueCount: Int, offered: UInt64) {
        self.deviceID = deviceID
        self.queueCount = queueCount
        self.offered = offered | Self.version1
    }

    /// Whether the device may use its queues.
    var isLive: Bool { status & (Self.driverOK | Self.needsReset) == Self.driverOK }
    /// Whether the driver accepted a feature.
    func hasAccepted(_ feature: UInt64) -> Bool { accepted & feature != 0 }
    /// The level of the interrupt.
    var level: Bool { interruptStatus != 0 }

    mutating func reset() { self = VirtioRegisters(deviceID: deviceID, queueCount: queueCount, offered: offered) }

    /// The driver broke a rule: the device stops until the driver resets it (sections 2.1.2 and 2.5).
    mutating func fail() {
        if status & Self.driverOK != 0 { interruptStatus |= 2 }
        status |= Self.needsReset
    }

    /// Gives queue `index` a used chain. A ring that is no memory fails the device.
    mutating func give(_ index: Int, _ head: UInt16, _ written: UInt32, _ tables: GuestTables) {
        switch queues[index].give(head, written, tables) {
        case nil: fail()
        case .some(true): interruptStatus |= 1
        case .some(false): break
        }
    }

    /// A load of a register below the configuration space.
    func load(_ offset: UInt64) -> UInt32 {
        let hasQueue = queueSelect < queueCount
        switch offset {
        case 0x00: return 0x7472_6976
        case 0x04: return 2
        case 0x08: return deviceID
        case 0x0c: return 0x4145  // "AE"
        case 0x10: return deviceSelect < 2 ? UInt32(truncatingIfNeeded: offered >> UInt64(32 * deviceSelect)) : 0
        case 0x34: return hasQueue ? VirtualQueue.mostDescriptors : 0
        case 0x44: return hasQueue && queues[queueSelect].isReady ? 1 : 0
        case 0x60: return interruptStatus
        case 0x70: return status
        // Lengths of shared memory regions: all ones where there is none.
        case 0xb0, 0xb4: return .max
        default: return 0
        }
    }

    mutating func store(_ offset: UInt64, _ value: UInt32, _ tables: GuestTables) -> Order {
        switch offset {
        case 0x14: deviceSelect = value
        case 0x20 where status & Self.featuresOK == 0 && driverSelect < 2:
            let shift = UInt64(32 * driverSelect)
            accepted = accepted & ~(0xffff_ffff << shift) | UInt64(value) << shift
        case 0x24: driverSelect = value
        case 0x30: queueSelect = Int(value)
        case 0x38, 0x44, 0x80...0xa4: storeQueue(offset, value, tables)
        case 0x50: if isLive, Int(value) < queueCount { return .notification(Int(value)) }
        case 0x64: interruptStatus &= ~value
        case 0x70:
            if value == 0 { return .reset }
            storeStatus(value)
        default: break
        }
        return .none
    }

    /// Bits are only added; the device refuses a step whose condition is not met (section 3.1.1).
    private mutating func storeStatus(_ value: UInt32) {
        var added = value & 0x8f & ~status
        if accepted & ~offered != 0 || accepted & Self.version1 == 0 { added &= ~Self.featuresOK }
        if (status | added) & Self.featuresOK == 0 { added &= ~Self.driverOK }
        status |= added
    }

    /// The registers of the selected queue; a queue that is enabled does not change.
    private mutating func storeQueue(_ offset: UInt64, _ value: UInt32, _ tables: GuestTables) {
        guard queueSelect < queueCount, !queues[queueSelect].isReady else { return }
        func low(_ address: UInt64) -> UInt64 { address & ~0xffff_ffff | UInt64(value) }
        func high(_ address: UInt64) -> UInt64 { address & 0xffff_ffff | UInt64(value) << 32 }
        switch offset {
        case 0x38: queues[queueSelect].size = value
        case 0x44: if value == 1, !queues[queueSelect].enable(tables) { fail() }
        case 0x80: queues[queueSelect].descriptors = low(queues[queueSelect].descriptors)
        case 0x84: queues[queueSelect].descriptors = high(queues[queueSelect].descriptors)
        case 0x90: queues[queueSelect].available = low(queues[queueSelect].available)
        case 0x94: queues[queueSelect].available = high(queues[queueSelect].available)
        case 0xa0: queues[queueSelect].used = low(queues[queueSelect].used)
        case 0xa4: queues[queueSelect].used = high(queues[queueSelect].used)
        default: break
        }
    }
}

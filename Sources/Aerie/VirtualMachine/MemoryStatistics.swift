internal import VirtioDevices

/// The memory of a machine at one moment: the host's view, and the guest's own figures.
public struct MemoryStatistics: Codable, Equatable, Sendable {
    /// The guest's own figures. Nil stands for a figure that the guest's driver does not report.
    public struct Guest: Codable, Equatable, Sendable {
        /// Memory that the guest's kernel manages.
        public var total: ByteSize?
        /// Memory without use.
        public var free: ByteSize?
        /// Memory that programs could have without swapping.
        public var available: ByteSize?
        /// Contents of files that the guest could drop.
        public var caches: ByteSize?
        /// Page faults since the guest's start that needed no I/O.
        public var minorFaults: UInt64?
        /// Page faults since the guest's start that needed I/O.
        public var majorFaults: UInt64?
        /// Processes that the guest has ended for want of memory.
        public var outOfMemoryKills: UInt64?
    }

    /// The size of the machine's memory, with what the guest has plugged (`MemoryGrowth.Method.hotplug`).
    public var size: ByteSize
    /// The most memory that the guest can have (`MemoryGrowth.limit`); nil in the answers of machines that an earlier version has started.
    public var maximum: ByteSize?
    /// The memory that the guest shall have: that of `VirtualMachine.setMemoryTarget(_:)`, less the memory that the guest lends to a host
    /// under pressure (`MemoryPolicy`).
    public var target: ByteSize
    /// The memory that the guest has: the size less the balloon's. A guest that cannot unplug memory which it uses has more than `target`.
    public var current: ByteSize
    /// The memory for which the host has allocated pages.
    public var resident: ByteSize
    /// The bytes that the guest has given back to the host since the machine's start, through its balloon and as free pages.
    public var returned: ByteSize
    /// Nil until the guest's driver of the balloon has reported some.
    public var guest: Guest?
}

extension MemoryStatistics.Guest {
    init(_ statistics: BalloonStatistics) {
        func size(_ bytes: UInt64?) -> ByteSize? { bytes.map { ByteSize(bytes: $0) } }
        total = size(statistics.total)
        free = size(statistics.free)
        available = size(statistics.available)
        caches = size(statistics.caches)
        minorFaults = statistics.minorFaults
        majorFaults = statistics.majorFaults
        outOfMemoryKills = statistics.outOfMemoryKills
    }
}

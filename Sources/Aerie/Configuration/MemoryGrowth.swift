internal import VirtioDevices

/// How far a running guest's memory may grow beyond `Configuration.memory`, and by which means.
public struct MemoryGrowth: Codable, Equatable, Sendable {
    /// The means by which a guest's memory grows.
    public enum Method: String, CaseIterable, Codable, Sendable {
        /// A virtio-mem device: the guest adds memory when the host asks for it. The guest's kernel needs the driver `virtio_mem`.
        case hotplug
        /// The guest starts with all of the memory, and its balloon keeps what it shall not use. The guest's kernel needs the driver
        /// `virtio_balloon`; until the driver is there, and when programs run out of memory, the guest can use all of it.
        case balloon
    }

    /// The most memory that the guest can have: at least `Configuration.memory`, from which it differs by a multiple of 2 MiB.
    public var limit: ByteSize
    /// Nil for the architecture's default: `balloon` on riscv64, where the kernels of Debian 13 have no driver `virtio_mem`; `hotplug` on
    /// x86_64.
    public var method: Method?

    /// A growth up to `limit`.
    public init(limit: ByteSize, method: Method? = nil) {
        self.limit = limit
        self.method = method
    }

    /// Parses `SIZE[,by=hotplug|balloon]`.
    ///
    /// - Throws: `usage` for another form.
    public init(option text: String) throws(AerieError) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let prefix = "by="
        guard let limit = ByteSize(parts[0]), parts.count <= 2 else { throw Self.malformed(text) }
        self.limit = limit
        guard parts.count == 2 else { return }
        guard parts[1].hasPrefix(prefix), let method = Method(rawValue: String(parts[1].dropFirst(prefix.count))) else {
            throw Self.malformed(text)
        }
        self.method = method
    }

    private static func malformed(_ text: String) -> AerieError {
        AerieError(
            .usage, asked: "--max-memory", found: "'\(text)' is not SIZE[,by=hotplug|balloon]",
            advice: "use a size such as 4G, or 4G,by=hotplug")
    }
}

extension Configuration {
    /// Linux adds memory in blocks of 128 MiB or more: the region has whole ones, of which only `MemoryGrowth.limit` counts.
    private static let regionUnit: UInt64 = 128 << 20
    /// Where a region may begin. Linux on x86-64 has memory blocks of up to 2 GiB.
    private static let regionAlignment: UInt64 = 2 << 30

    /// The method of a machine whose memory can grow; nil for others.
    package var growthMethod: MemoryGrowth.Method? {
        guard let memoryGrowth, memoryGrowth.limit > memory else { return nil }
        return memoryGrowth.method ?? (architecture == .riscv64 ? .balloon : .hotplug)
    }

    /// The most memory that the guest can have, in bytes.
    package var mostMemory: UInt64 { growthMethod == nil ? memory.bytes : memoryGrowth?.limit.bytes ?? memory.bytes }

    /// The memory that the guest's kernel finds at the start, in bytes.
    package var bootMemory: UInt64 { growthMethod == .balloon ? mostMemory : memory.bytes }

    /// Bytes of the region of a memory device; 0 for a machine without one.
    private var regionSize: UInt64 {
        guard growthMethod == .hotplug else { return 0 }
        return (mostMemory - memory.bytes + Self.regionUnit - 1) / Self.regionUnit * Self.regionUnit
    }

    /// Bytes of all ranges of the guest's memory, whether they are in use or not.
    package var memorySize: UInt64 { bootMemory + regionSize }

    /// The region of a memory device behind the other memory; nil for a machine without one.
    ///
    /// - Parameter end: of the other memory.
    func growthRegion(above end: UInt64) -> (base: UInt64, size: UInt64)? {
        guard growthMethod == .hotplug else { return nil }
        return ((end + Self.regionAlignment - 1) / Self.regionAlignment * Self.regionAlignment, regionSize)
    }

    func validateGrowth() throws(AerieError) {
        guard let memoryGrowth else { return }
        let limit = memoryGrowth.limit
        let asked = "--max-memory \(limit)"
        guard limit >= memory, Self.memoryRange.contains(limit) else {
            throw AerieError(
                .usage, asked: asked, found: "a machine with \(memory) can grow to \(memory) to 1024G",
                advice: "choose a size in this range")
        }
        guard (limit.bytes - memory.bytes) % MemoryDevice.blockSize == 0 else {
            throw AerieError(
                .usage, asked: asked, found: "memory grows in steps of 2M from \(memory) on",
                advice: "choose a size that is a multiple of 2M larger")
        }
        try Self.checkHost(limit, asked: asked)
    }
}

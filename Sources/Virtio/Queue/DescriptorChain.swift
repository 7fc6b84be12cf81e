internal import GuestMemory

/// One request of a driver: the buffers that the device reads, then those that it writes.
package struct DescriptorChain: Sendable {
    /// Index of the first descriptor, by which the driver knows the request.
    package let head: UInt16
    package fileprivate(set) var readable = GuestBuffers()
    package fileprivate(set) var writable = GuestBuffers()
}

/// Collects a chain from the descriptor table. Each descriptor is read once, and everything it says is checked.
///
///     offset  size  descriptor (VIRTIO 1.2, section 2.7.5)
///          0     8  guest-physical address
///          8     4  length in bytes
///         12     2  flags: 1 next, 2 device writes, 4 indirect
///         14     2  index of the next one
struct DescriptorWalk {
    /// The most descriptors of a chain with an indirect table. The standard says the queue's size, but drivers with short
    /// queues rely on longer tables, which is what such tables are for.
    static let maximumIndirectLength = 1024
    static let descriptorSize: UInt64 = 16

    private struct Descriptor {
        let address: UInt64
        let length: UInt32
        let flags: UInt16
        let next: UInt16

        var hasNext: Bool { flags & 1 != 0 }
        var isWritable: Bool { flags & 2 != 0 }
        var isIndirect: Bool { flags & 4 != 0 }
    }

    let memory: GuestMemory
    let table: UInt64
    let size: UInt16
    let allowsIndirect: Bool
    private var chain: DescriptorChain
    private var total: UInt64 = 0

    init(memory: GuestMemory, table: UInt64, size: UInt16, allowsIndirect: Bool, head: UInt16) {
        self.memory = memory
        self.table = table
        self.size = size
        self.allowsIndirect = allowsIndirect
        chain = DescriptorChain(head: head)
    }

    consuming func run() throws(VirtQueueError) -> DescriptorChain {
        var index = chain.head
        var steps = 0
        while true {
            guard index < size else { throw .badDescriptorIndex(index) }
            guard steps < size else { throw .chainTooLong(limit: Int(size)) }
            steps += 1
            let descriptor = try read(table, index)
            if descriptor.isIndirect {
                guard allowsIndirect else { throw .indirectNotNegotiated }
                guard !descriptor.hasNext else { throw .misplacedIndirect }
                try walkIndirect(descriptor)
                return chain
            }
            try add(descriptor)
            guard descriptor.hasNext else { return chain }
            index = descriptor.next
        }
    }

    private mutating func walkIndirect(_ outer: Descriptor) throws(VirtQueueError) {
        let entries = UInt64(outer.length) / Self.descriptorSize
        guard entries > 0, UInt64(outer.length) % Self.descriptorSize == 0, entries <= 65536 else {
            throw .badIndirectTable(bytes: outer.length)
        }
        guard memory.hostAddress(of: outer.address, count: UInt64(outer.length)) != nil else {
            throw .outsideMemory(address: outer.address, count: UInt64(outer.length))
        }
        var index: UInt16 = 0
        var steps = 0
        while true {
            guard UInt64(index) < entries else { throw .badDescriptorIndex(index) }
            guard steps < Self.maximumIndirectLength, steps < entries else {
                throw .chainTooLong(limit: min(Self.maximumIndirectLength, Int(entries)))
            }
            steps += 1
            let descriptor = try read(outer.address, index)
            guard !descriptor.isIndirect else { throw .misplacedIndirect }
            try add(descriptor)
            guard descriptor.hasNext else { return }
            index = descriptor.next
        }
    }

    private func read(_ table: UInt64, _ index: UInt16) throws(VirtQueueError) -> Descriptor {
        // The table was found in range before, so the sum does not overflow.
        let address = table + UInt64(index) * Self.descriptorSize
        do {
            let low: UInt64 = try memory.load(at: address)
            let high: UInt64 = try memory.load(at: address + 8)
            return Descriptor(
                address: low, length: UInt32(truncatingIfNeeded: high), flags: UInt16(truncatingIfNeeded: high >> 32),
                next: UInt16(truncatingIfNeeded: high >> 48))
        } catch {
            throw .outsideMemory(address: error.address, count: error.count)
        }
    }

    private mutating func add(_ descriptor: Descriptor) throws(VirtQueueError) {
        let length = UInt64(descriptor.length)
        guard memory.hostAddress(of: descriptor.address, count: length) != nil || length == 0 else {
            throw .outsideMemory(address: descriptor.address, count: length)
        }
        total += length
        guard total <= UInt64(UInt32.max) else { throw .chainTooLarge }
        let segment = GuestBuffers.Segment(address: descriptor.address, count: Int(length))
        if descriptor.isWritable {
            sawWritable = true
            if length > 0 { chain.writable.append(segment) }
        } else {
            guard !sawWritable else { throw .readableAfterWritable }
            if length > 0 { chain.readable.append(segment) }
        }
    }

    private var sawWritable = false
}

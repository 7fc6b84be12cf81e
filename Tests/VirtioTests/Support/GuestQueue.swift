import GuestMemory
import Virtio

/// The driver's end of a split virtqueue, built by hand in guest memory.
final class GuestQueue: @unchecked Sendable {
    // @unchecked: one thread of a test uses a queue at a time.
    struct Buffer {
        var address: UInt64
        var length: UInt32
        var isWritable: Bool

        static func out(_ address: UInt64, _ length: Int) -> Buffer {
            Buffer(address: address, length: UInt32(length), isWritable: false)
        }

        static func `in`(_ address: UInt64, _ length: Int) -> Buffer {
            Buffer(address: address, length: UInt32(length), isWritable: true)
        }
    }

    static let next: UInt16 = 1
    static let write: UInt16 = 2
    static let indirect: UInt16 = 4

    let memory: GuestMemory
    let size: UInt16
    let descriptors: UInt64
    let available: UInt64
    let used: UInt64
    var availableIndex: UInt16 = 0
    var usedIndex: UInt16 = 0

    /// Lays the rings out from `base` on; 32 KiB are enough for 256 entries.
    ///
    /// - Parameter alignment: of the used ring in bytes; the legacy interface has larger ones.
    init(memory: GuestMemory, base: UInt64, size: UInt16, alignment: UInt64 = 4) {
        self.memory = memory
        self.size = size
        descriptors = base
        available = base + 16 * UInt64(max(size, 1))
        used = (available + 6 + 2 * UInt64(size) + alignment - 1) & ~(alignment - 1)
        clear()
    }

    func clear() {
        try! memory.clear(at: descriptors, count: used + 6 + 8 * UInt64(size) - descriptors)
        availableIndex = 0
        usedIndex = 0
    }

    func setDescriptor(
        _ index: UInt16, address: UInt64, length: UInt32, flags: UInt16, next: UInt16 = 0, table: UInt64? = nil
    ) {
        let slot = (table ?? descriptors) + 16 * UInt64(index)
        try! memory.store(address, at: slot)
        try! memory.store(length, at: slot + 8)
        try! memory.store(flags, at: slot + 12)
        try! memory.store(next, at: slot + 14)
    }

    /// Writes a chain into consecutive descriptors from `head` on, wrapping, of the ring's table or of another.
    func setChain(_ buffers: [Buffer], head: UInt16 = 0, table: UInt64? = nil) {
        for (position, buffer) in buffers.enumerated() {
            let index = (head + UInt16(position)) % (table == nil ? size : .max)
            let isLast = position == buffers.count - 1
            setDescriptor(
                index, address: buffer.address, length: buffer.length,
                flags: (buffer.isWritable ? Self.write : 0) | (isLast ? 0 : Self.next),
                next: isLast ? 0 : (index + 1) % (table == nil ? size : .max), table: table)
        }
    }

    /// Makes the chain at `head` available.
    func publish(_ head: UInt16) {
        try! memory.store(head, at: available + 4 + 2 * UInt64(availableIndex % size))
        availableIndex &+= 1
        try! memory.storeRelease(availableIndex, at: available + 2)
    }

    var deviceUsedIndex: UInt16 { try! memory.loadAcquire(at: used + 2) }

    /// The next used entry, when there is one.
    func popUsed() -> (head: UInt32, length: UInt32)? {
        guard deviceUsedIndex != usedIndex else { return nil }
        let slot = used + 4 + 8 * UInt64(usedIndex % size)
        usedIndex &+= 1
        return (try! memory.load(at: slot), try! memory.load(at: slot + 4))
    }

    /// The index after which the driver wants an interrupt.
    func setUsedEvent(_ index: UInt16) { try! memory.store(index, at: available + 4 + 2 * UInt64(size)) }

    /// The index after which the device wants a notification.
    var availableEvent: UInt16 { try! memory.load(at: used + 4 + 8 * UInt64(size)) }

    func layout() -> VirtQueueLayout {
        var layout = VirtQueueLayout()
        layout.size = size
        layout.descriptors = descriptors
        layout.available = available
        layout.used = used
        return layout
    }
}

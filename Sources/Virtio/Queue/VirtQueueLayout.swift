internal import GuestMemory

/// Where a split virtqueue lies in the guest's memory (VIRTIO 1.2, section 2.7), in guest-physical addresses.
///
///     descriptor table   16 × size bytes                                    aligned to 16
///     available ring     u16 flags, u16 index, size × u16 head, u16 used event       to 2
///     used ring          u16 flags, u16 index, size × (u32 head, u32 length), u16 available event   to 4
package struct VirtQueueLayout: Equatable, Sendable {
    package var size: UInt16 = 0
    package var descriptors: UInt64 = 0
    package var available: UInt64 = 0
    package var used: UInt64 = 0

    package init() {}

    /// Throws unless the queue can be used: a size that is a power of 2 up to `limit`, aligned parts, all in memory.
    func check(in memory: GuestMemory, limit: UInt16) throws(VirtQueueError) {
        guard size > 0, size & (size - 1) == 0, size <= limit else { throw .badSize(size, limit: limit) }
        let entries = UInt64(size)
        for (address, alignment, count) in [
            (descriptors, UInt64(16), 16 * entries), (available, 2, 6 + 2 * entries), (used, 4, 6 + 8 * entries),
        ] {
            guard address % alignment == 0 else { throw .misaligned(address: address, alignment: alignment) }
            guard memory.hostAddress(of: address, count: count) != nil else {
                throw .outsideMemory(address: address, count: count)
            }
        }
    }
}

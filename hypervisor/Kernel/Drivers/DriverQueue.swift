import Support

/// A split virtqueue of which the hypervisor is the driver (VIRTIO 1.2, section 2.7). The parts lie as a legacy device wants
/// them (section 2.7.2): descriptors, available ring, and the used ring at the next page. A version 2 device gets their addresses.
struct DriverQueue {
    static let mostDescriptors = 256
    /// Memory of the largest queue: descriptors, available ring and used ring have a page each.
    static let bytes: UInt64 = 12288
    private static let next: UInt16 = 1
    private static let write: UInt16 = 2

    let memory: UInt64
    let size: UInt16
    /// The free descriptors, linked by their `next`.
    private(set) var firstFree: UInt16 = 0
    private(set) var freeCount: Int
    private var nextAvailable: UInt16 = 0
    private var nextUsed: UInt16 = 0

    init(_ memory: UInt64, size: UInt16) {
        (self.memory, self.size) = (memory, size)
        freeCount = Int(size)
        for index in 0..<UInt64(size) { hv_store16(memory + 16 * index + 14, UInt16(index + 1)) }
    }

    var descriptors: UInt64 { memory }
    var available: UInt64 { memory + 16 * UInt64(size) }
    var used: UInt64 { (available + 6 + 2 * UInt64(size) + 4095) & ~4095 }

    /// Takes the next free descriptor: descriptors of one chain are taken one after the other, and `hasMore` says whether
    /// another one follows. The caller has looked at `freeCount`.
    mutating func take(_ address: UInt64, _ length: UInt32, isWritten: Bool, hasMore: Bool) -> UInt16 {
        let index = firstFree
        let place = descriptors + 16 * UInt64(index)
        hv_store64(place, address)
        hv_store32(place + 8, length)
        hv_store16(place + 12, (hasMore ? Self.next : 0) | (isWritten ? Self.write : 0))
        firstFree = hv_load16(place + 14)
        freeCount -= 1
        return index
    }

    /// Makes the chain that begins at `head` available. Call the transport's `notify` after one or more.
    mutating func publish(_ head: UInt16) {
        hv_store16(available + 4 + 2 * UInt64(nextAvailable & (size - 1)), head)
        nextAvailable &+= 1
        hv_fence_devices()
        hv_store16(available + 2, nextAvailable)
    }

    /// The next chain that the device has used, and the bytes that it wrote; nil: none. A number that is no descriptor is skipped.
    mutating func takeUsed() -> (head: UInt16, length: UInt32)? {
        while hv_load16(used + 2) != nextUsed {
            hv_fence_devices()
            let place = used + 4 + 8 * UInt64(nextUsed & (size - 1))
            let head = hv_load32(place)
            nextUsed &+= 1
            if head < UInt32(size) { return (UInt16(head), hv_load32(place + 4)) }
        }
        return nil
    }

    /// Frees the descriptors of a chain.
    mutating func release(_ head: UInt16) {
        var last = UInt64(head)
        freeCount += 1
        while hv_load16(descriptors + 16 * last + 12) & Self.next != 0 {
            last = UInt64(hv_load16(descriptors + 16 * last + 14))
            freeCount += 1
        }
        hv_store16(descriptors + 16 * last + 14, firstFree)
        firstFree = head
    }
}

import Support

/// A split virtqueue of a guest, of which the hypervisor is the device (VIRTIO 1.2, section 2.7). Everything in it is
/// the guest's, which may change it at any time: each word is read once, and each address is looked up in the guest's tables.
struct VirtualQueue {
    static let mostDescriptors: UInt32 = 256
    private static let next: UInt16 = 1
    private static let write: UInt16 = 2
    private static let indirect: UInt16 = 4

    enum Finding {
        /// No chain is available.
        case empty
        /// `hypervisor.pointee.chain` has it.
        case chain
        /// The driver broke the rules of the queue.
        case broken
    }

    var size = VirtualQueue.mostDescriptors
    var descriptors: UInt64 = 0
    var available: UInt64 = 0
    var used: UInt64 = 0
    private(set) var isReady = false
    private var nextAvailable: UInt16 = 0
    private var nextUsed: UInt16 = 0

    /// The driver enables the queue. False: its size or one of its addresses is not valid (section 2.7).
    mutating func enable(_ tables: GuestTables) -> Bool {
        guard size > 0, size <= Self.mostDescriptors, size & (size - 1) == 0, descriptors & 15 == 0, available & 1 == 0,
            used & 3 == 0, tables.contains(descriptors, 16 * UInt64(size)),
            tables.contains(available, 6 + 2 * UInt64(size)), tables.contains(used, 6 + 8 * UInt64(size))
        else { return false }
        isReady = true
        return true
    }

    /// Whether a chain is available, or the index is not valid.
    func hasMore(_ tables: GuestTables) -> Bool {
        guard isReady, let place = tables.translate(available + 2) else { return false }
        return hv_load16(place.address) != nextAvailable
    }

    /// Reads the next available chain, and leaves it in the queue: `advance` takes it.
    func peek(_ tables: GuestTables, _ chain: UnsafeMutablePointer<Chain>) -> Finding {
        guard isReady else { return .empty }
        guard let place = tables.translate(available + 2) else { return .broken }
        let index = hv_load16(place.address)
        if index == nextAvailable { return .empty }
        let slot = available + 4 + 2 * UInt64(nextAvailable & UInt16(size - 1))
        guard UInt32(index &- nextAvailable) <= size, let entry = tables.translate(slot) else { return .broken }
        // The driver wrote the entry before the index.
        hv_fence_devices()
        var number = hv_load16(entry.address)
        chain.pointee.begin(number)
        for _ in 0..<min(Int(size), Chain.mostDescriptors) {
            guard UInt32(number) < size, let place = tables.translate(descriptors + 16 * UInt64(number)) else {
                return .broken
            }
            let address = hv_load64(place.address)
            let length = hv_load32(place.address + 8)
            let flags = hv_load16(place.address + 12)
            guard flags & Self.indirect == 0,
                chain.pointee.append(address, length, isWritten: flags & Self.write != 0, tables)
            else { return .broken }
            if flags & Self.next == 0 { return .chain }
            number = hv_load16(place.address + 14)
        }
        // A loop, or more descriptors than the device allows.
        return .broken
    }

    mutating func advance() { nextAvailable &+= 1 }

    /// Puts a chain into the used ring with the number of bytes that the device wrote.
    ///
    /// - Returns: whether the driver wants an interrupt (section 2.7.7); nil: the ring is no memory.
    mutating func give(_ head: UInt16, _ written: UInt32, _ tables: GuestTables) -> Bool? {
        let slot = used + 4 + 8 * UInt64(nextUsed & UInt16(size - 1))
        // Words of 4 bytes: an element may cross a border of chunks.
        guard let number = tables.translate(slot), let length = tables.translate(slot + 4),
            let index = tables.translate(used + 2), let flags = tables.translate(available)
        else { return nil }
        hv_store32(number.address, UInt32(head))
        hv_store32(length.address, written)
        nextUsed &+= 1
        hv_fence_devices()
        hv_store16(index.address, nextUsed)
        hv_fence_devices()
        return hv_load16(flags.address) & 1 == 0
    }
}

extension GuestTables {
    /// Whether all of a range is the guest's memory.
    func contains(_ guestAddress: UInt64, _ size: UInt64) -> Bool {
        var done: UInt64 = 0
        while done < size {
            guard let place = translate(guestAddress &+ done) else { return false }
            done += place.length
        }
        return true
    }
}

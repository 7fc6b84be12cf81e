package import GuestMemory
package import SavedState
internal import Synchronization

/// The device's end of a split virtqueue (VIRTIO 1.2, section 2.7).
///
/// Every access to the rings is a copy out of or into guest memory; the guest may change them at any time, and whatever it
/// writes leads to a value or to a `VirtQueueError`.
package final class VirtQueue: @unchecked Sendable {
    // @unchecked: one thread at a time uses a queue: the loop's between `startQueue` and `stopQueue`, `reset` or `pause`; the
    // transport's caller outside of that.

    package let index: Int
    package let layout: VirtQueueLayout
    private let memory: GuestMemory
    private let usesEventIndex: Bool
    private let allowsIndirect: Bool

    // Free-running counters, as in the rings: the next available entry to take, and the next used entry to write.
    private var nextAvailable: UInt16 = 0
    private var nextUsed: UInt16 = 0
    // `nextUsed` at the last interrupt decision.
    private var announced: UInt16 = 0

    /// A queue that the driver just set up.
    package init(
        index: Int, layout: VirtQueueLayout, limit: UInt16, memory: GuestMemory, features: UInt64
    ) throws(VirtQueueError) {
        try layout.check(in: memory, limit: limit)
        self.index = index
        self.layout = layout
        self.memory = memory
        usesEventIndex = features & VirtioFeatures.eventIndex != 0
        allowsIndirect = features & VirtioFeatures.indirectDescriptors != 0
    }

    // MARK: Requests

    /// Whether the driver has made something available that was not taken yet.
    package func hasAvailable() throws(VirtQueueError) -> Bool {
        try availableCount() > 0
    }

    private func availableCount() throws(VirtQueueError) -> UInt16 {
        let published = try guest { () throws(GuestMemoryError) in try memory.loadAcquire(at: layout.available + 2) }
        let count = published &- nextAvailable
        guard count <= layout.size else { throw .indexJump(from: nextAvailable, to: published) }
        return count
    }

    /// Takes the next request; nil when there is none. After an error the queue must not be used any more.
    package func pop() throws(VirtQueueError) -> DescriptorChain? {
        guard try availableCount() > 0 else { return nil }
        guard nextAvailable &- nextUsed < layout.size else { throw .tooManyOutstanding }
        let slot = layout.available + 4 + 2 * UInt64(nextAvailable & (layout.size - 1))
        let head = try guest { () throws(GuestMemoryError) in try memory.load(UInt16.self, at: slot) }
        let walk = DescriptorWalk(
            memory: memory, table: layout.descriptors, size: layout.size, allowsIndirect: allowsIndirect, head: head)
        let chain = try walk.run()
        nextAvailable &+= 1
        return chain
    }

    /// Puts the `count` requests that were taken last back, to take them again later.
    package func putBack(_ count: Int = 1) {
        precondition(count <= Int(nextAvailable &- nextUsed), "only taken requests can be put back")
        nextAvailable &-= UInt16(count)
    }

    /// Gives a taken request back to the driver.
    ///
    /// - Parameter written: how many bytes of its writable buffers, from the first on, were written.
    package func complete(_ chain: DescriptorChain, written: Int) throws(VirtQueueError) {
        try put(chain, written: written)
        try publish()
    }

    /// Gives several requests back, of which the driver sees all or none (section 5.1.6.4, for a frame in several buffers).
    package func complete(_ requests: [(request: TakenRequest, written: Int)]) throws(VirtQueueError) {
        for (request, written) in requests { try put(request.chain, written: written) }
        try publish()
    }

    private func put(_ chain: DescriptorChain, written: Int) throws(VirtQueueError) {
        let slot = layout.used + 4 + 8 * UInt64(nextUsed & (layout.size - 1))
        let length = UInt32(clamping: written)
        nextUsed &+= 1
        try guest { () throws(GuestMemoryError) in
            try memory.store(UInt64(length) << 32 | UInt64(chain.head), at: slot)
        }
    }

    private func publish() throws(VirtQueueError) {
        // Release: the driver that sees the index sees the entries and the data.
        try guest { () throws(GuestMemoryError) in try memory.storeRelease(nextUsed, at: layout.used + 2) }
    }

    // MARK: Notifications

    /// Whether the driver wants an interrupt for what was completed since the last call (section 2.7.7.2).
    package func shouldSignal() throws(VirtQueueError) -> Bool {
        let old = announced
        announced = nextUsed
        guard nextUsed != old else { return false }
        // The driver writes its event, fences and reads our index; we wrote the index, fence and read its event. Without
        // both fences each could miss what the other wrote.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        if usesEventIndex {
            let address = layout.available + 4 + 2 * UInt64(layout.size)
            let event = try guest { () throws(GuestMemoryError) in try memory.load(UInt16.self, at: address) }
            return nextUsed &- event &- 1 < nextUsed &- old
        }
        return try guest { () throws(GuestMemoryError) in try memory.load(UInt16.self, at: layout.available) } & 1 == 0
    }

    /// Asks the driver not to notify while the device is looking at the queue anyway.
    package func disableNotifications() throws(VirtQueueError) {
        // With the event index, an event that is never updated says the same.
        guard !usesEventIndex else { return }
        try guest { () throws(GuestMemoryError) in try memory.store(UInt16(1), at: layout.used) }
    }

    /// Asks the driver to notify for the next request.
    ///
    /// - Returns: whether a request came before the driver could know; then nobody will notify for it.
    package func enableNotifications() throws(VirtQueueError) -> Bool {
        try guest { () throws(GuestMemoryError) in
            if usesEventIndex {
                try memory.store(nextAvailable, at: layout.used + 4 + 8 * UInt64(layout.size))
            } else {
                try memory.store(UInt16(0), at: layout.used)
            }
        }
        // The other half of the race in `shouldSignal`, with the roles exchanged.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return try hasAvailable()
    }

    private func guest<Result>(
        _ body: () throws(GuestMemoryError) -> Result
    ) throws(VirtQueueError) -> Result {
        do { return try body() } catch { throw .outsideMemory(address: error.address, count: error.count) }
    }

    // MARK: State

    package func save() -> SavedRecord {
        var record = SavedRecord(kind: "virtqueue-split", version: 1)
        record.set("nextAvailable", nextAvailable)
        record.set("nextUsed", nextUsed)
        record.set("announced", announced)
        return record
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtqueue-split", versions: 1...1)
        nextAvailable = try state.integer("nextAvailable")
        nextUsed = try state.integer("nextUsed")
        announced = try state.integer("announced")
        // A request that broke the rules may have been taken and never completed, but no more than fit the queue.
        guard nextAvailable &- nextUsed <= layout.size else {
            throw .badField(kind: state.kind, field: "nextAvailable")
        }
    }
}

internal import Synchronization
internal import Virtio

/// Whether a disk's writes wait for a flush to become durable (VIRTIO 1.2, sections 5.2.5.2 and 5.2.6.2).
final class CacheMode: Sendable {
    private let writeBack = Atomic(true)
    private let isChoosable = Atomic(false)

    var isWriteBack: Bool { writeBack.load(ordering: .acquiring) }

    /// A driver that never flushes expects its writes to be durable when they complete.
    func negotiated(_ session: VirtioSession) {
        let canChoose = session.has(BlockConfiguration.configurableCache)
        isChoosable.store(canChoose, ordering: .releasing)
        if !session.has(BlockConfiguration.flush) { writeBack.store(false, ordering: .releasing) }
    }

    /// The driver writes the configuration; ignored unless it negotiated that it may.
    func choose(writeBack: Bool) {
        if isChoosable.load(ordering: .acquiring) { self.writeBack.store(writeBack, ordering: .releasing) }
    }

    func restore(writeBack: Bool) { self.writeBack.store(writeBack, ordering: .releasing) }

    func reset() {
        writeBack.store(true, ordering: .releasing)
        isChoosable.store(false, ordering: .releasing)
    }
}

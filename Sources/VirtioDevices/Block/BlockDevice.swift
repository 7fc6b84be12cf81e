package import DiskImages
package import HostSystem
package import SavedState
internal import Synchronization
package import Virtio

/// A disk (VIRTIO 1.2, section 5.2): requests run on a thread for each queue, straight between the image and guest memory.
package final class BlockDevice: VirtioDevice {
    package let type = VirtioDeviceType.block
    package let features: UInt64
    package let queueSizes: [UInt16]

    let image: any DiskImage
    let serial: [UInt8]
    private let workers: [QueueWorker]
    private let cache: CacheMode

    /// - Parameters:
    ///   - image: what the disk holds. The device is its only user.
    ///   - serial: what GET_ID answers (`/sys/block/vda/serial`); 20 bytes of ASCII at most, more are cut off.
    ///   - queueCount: 1 to 64; as many requests run at a time.
    package init(image: any DiskImage, serial: String = "", queueCount: Int = 1) {
        precondition((1...64).contains(queueCount), "a disk has 1 to 64 queues")
        self.image = image
        self.serial = Array(serial.utf8.prefix(20))
        features = BlockConfiguration.features(of: image, queueCount: queueCount)
        queueSizes = Array(repeating: BlockConfiguration.queueSize, count: queueCount)
        let cache = CacheMode()
        self.cache = cache
        let server = BlockRequestServer(image: image, serial: self.serial, cache: cache)
        workers = (0..<queueCount).map { index in
            QueueWorker(name: "disk-\(index)", queueCount: queueCount) { turn throws(VirtQueueError) in
                guard let queue = turn.queue(index) else { return }
                try server.serve(queue, turn)
            }
        }
    }

    package var configuration: [UInt8] {
        BlockConfiguration.bytes(of: image, queueCount: workers.count, writeBack: cache.isWriteBack)
    }

    // Only the driver changes the configuration.
    package var configurationGeneration: UInt32 { 0 }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {
        let index = BlockConfiguration.writeBackOffset - offset
        guard bytes.indices.contains(index) else { return }
        cache.choose(writeBack: bytes[index] != 0)
    }

    // MARK: Lifecycle

    package func start() throws {
        for worker in workers { try worker.start() }
    }

    package func activate(_ session: VirtioSession) {
        cache.negotiated(session)
        for worker in workers { worker.activate(session) }
    }

    package func startQueue(_ queue: VirtQueue) { workers[queue.index].startQueue(queue) }
    package func notify(queue index: Int) { workers[index].wake() }
    package func doorbell(queue index: Int) -> Doorbell? { workers[index].doorbell }
    package func stopQueue(_ index: Int) { workers[index].stopQueue(index) }

    package func reset() {
        for worker in workers { worker.reset() }
        cache.reset()
    }

    package func pause() { for worker in workers { worker.pause() } }
    package func resume() { for worker in workers { worker.resume() } }

    package func stop() {
        for worker in workers { worker.stop() }
        // The guest is gone: nobody is left to tell of an error. Its own flushes were answered with theirs.
        try? image.flush()
        image.close()
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-block", version: 1)
        record.set("size", image.size)
        record.set("writeBack", cache.isWriteBack)
        return record
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-block", versions: 1...1)
        // A guest that has mounted a disk does not survive another size.
        guard try state.integer("size", as: UInt64.self) == image.size else {
            throw .badField(kind: state.kind, field: "size")
        }
        cache.restore(writeBack: try state.boolean("writeBack"))
    }
}

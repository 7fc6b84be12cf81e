internal import SavedState
internal import Synchronization

extension VirtioTransportCore {
    func save(into record: inout SavedRecord) throws(SavedStateError) {
        record.set("deviceType", device.type.rawValue)
        record.set("device", try device.save())
        signals.save(into: &record)
        let state = self.state.withLock { $0 }
        record.set("status", state.status)
        record.set("deviceFeaturesSelect", state.deviceFeaturesSelect)
        record.set("driverFeaturesSelect", state.driverFeaturesSelect)
        record.set("driverFeatures", state.driverFeatures)
        record.set("queueSelect", state.queueSelect)
        record.set("queues", state.queues.map(save))
    }

    private func save(_ state: QueueState) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-queue", version: 1)
        record.set("size", state.layout.size)
        record.set("descriptors", state.layout.descriptors)
        record.set("available", state.layout.available)
        record.set("used", state.layout.used)
        record.set("isReady", state.queue != nil)
        if let queue = state.queue { record.set("queue", queue.save()) }
        return record
    }

    /// - Parameter isUsedEarly: the transport's record says that a legacy driver used the device before DRIVER_OK.
    func restore(_ record: SavedRecord, isUsedEarly: Bool = false) throws(SavedStateError) {
        guard try record.integer("deviceType", as: UInt32.self) == device.type.rawValue else {
            throw .badField(kind: record.kind, field: "deviceType")
        }
        var restored = State(queueCount: queueSizes.count)
        restored.status = try record.integer("status")
        restored.isUsedEarly = isUsedEarly
        restored.deviceFeaturesSelect = try record.integer("deviceFeaturesSelect")
        restored.driverFeaturesSelect = try record.integer("driverFeaturesSelect")
        restored.driverFeatures = try record.integer("driverFeatures")
        restored.queueSelect = try record.integer("queueSelect")
        // What was agreed on once must still be offered: a disk that became read-only is another disk.
        guard !restored.areFeaturesFinal || restored.driverFeatures & ~offeredFeatures == 0 else {
            throw .badField(kind: record.kind, field: "driverFeatures")
        }
        for (index, queue) in try record.records("queues", count: queueSizes.count).enumerated() {
            restored.queues[index] = try restoreQueue(index, queue, features: restored.driverFeatures)
        }
        resetDevice()
        try device.restore(try record.record("device"))
        try signals.restore(record, isLive: restored.isLive)
        if restored.isLive { activate(restored) }
        state.withLock { state in
            restored.epoch = state.epoch + 1
            state = restored
        }
    }

    private func restoreQueue(
        _ index: Int, _ record: SavedRecord, features: UInt64
    ) throws(SavedStateError) -> QueueState {
        try record.expect(kind: "virtio-queue", versions: 1...1)
        var result = QueueState()
        result.layout.size = try record.integer("size")
        result.layout.descriptors = try record.integer("descriptors")
        result.layout.available = try record.integer("available")
        result.layout.used = try record.integer("used")
        guard try record.boolean("isReady") else { return result }
        let queue: VirtQueue
        do {
            queue = try VirtQueue(
                index: index, layout: result.layout, limit: queueSizes[index], memory: memory, features: features)
        } catch {
            throw .badField(kind: record.kind, field: "size")
        }
        try queue.restore(try record.record("queue"))
        result.queue = queue
        return result
    }
}

package import HostSystem
package import SavedState
package import Virtio

/// A source of randomness (VIRTIO 1.2, section 5.4): the host kernel's generator.
package final class EntropyDevice: VirtioDevice {
    // The device may give less than was asked for, which bounds the work of a request.
    private static let mostBytes = 1 << 16

    package let type = VirtioDeviceType.entropy
    package let features: UInt64 = 0
    package let queueSizes: [UInt16] = [64]
    package let configuration: [UInt8] = []
    package let configurationGeneration: UInt32 = 0
    private let worker: QueueWorker

    package init() {
        worker = QueueWorker(name: "entropy", queueCount: 1) { turn throws(VirtQueueError) in
            guard let queue = turn.queue(0) else { return }
            try Self.serve(queue, turn)
        }
    }

    private static func serve(_ queue: VirtQueue, _ turn: QueueWorker.Turn) throws(VirtQueueError) {
        repeat {
            try queue.disableNotifications()
            while !turn.mustYield, let chain = try queue.pop() {
                var isRandom = true
                let count = chain.writable.forEach(count: mostBytes, in: turn.session.memory) { buffer in
                    do { try fillWithRandomBytes(buffer) } catch { isRandom = false }
                }
                // getrandom does not fail with valid arguments; if it ever does, what is in the buffer is not passed off
                // as random.
                try queue.complete(chain, written: isRandom ? count : 0)
                if try queue.shouldSignal() { turn.session.signals.signalQueue(queue.index) }
            }
            if turn.mustYield { return }
        } while try queue.enableNotifications()
    }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {}

    // MARK: Lifecycle

    package func start() throws { try worker.start() }
    package func activate(_ session: VirtioSession) { worker.activate(session) }
    package func startQueue(_ queue: VirtQueue) { worker.startQueue(queue) }
    package func notify(queue index: Int) { worker.wake() }
    package func doorbell(queue index: Int) -> Doorbell? { worker.doorbell }
    package func stopQueue(_ index: Int) { worker.stopQueue(index) }
    package func reset() { worker.reset() }
    package func pause() { worker.pause() }
    package func resume() { worker.resume() }
    package func stop() { worker.stop() }

    /// Nothing: every byte is new.
    package func save() throws(SavedStateError) -> SavedRecord {
        SavedRecord(kind: "virtio-entropy", version: 1)
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-entropy", versions: 1...1)
    }
}

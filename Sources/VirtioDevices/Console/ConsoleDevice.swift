package import HostSystem
package import Machine
package import SavedState
package import Virtio

/// A console with one port (VIRTIO 1.2, section 5.3): bytes between the driver and a channel of the host, and the size of
/// the terminal behind it.
///
///     offset  size  configuration
///          0     2  columns, 0 when there is no terminal
///          2     2  rows
///          4     4  number of ports (not offered, 1)
///          8     4  emergency write: the driver's byte goes out at once, even before DRIVER_OK
package final class ConsoleDevice: VirtioDevice {
    private static let sizeFeature: UInt64 = 1 << 0
    private static let emergencyWriteFeature: UInt64 = 1 << 2
    private static let emergencyWriteOffset = 8

    package let type = VirtioDeviceType.console
    package let features = sizeFeature | emergencyWriteFeature
    package let queueSizes: [UInt16] = [128, 128]
    private let channel: any CharacterChannel
    private let port: ConsolePort
    private let worker: QueueWorker

    /// The device takes over the channel's input handler.
    package init(channel: any CharacterChannel) {
        self.channel = channel
        let port = ConsolePort(channel: channel)
        self.port = port
        worker = QueueWorker(name: "console", queueCount: 2) { turn throws(VirtQueueError) in
            try port.serve(turn)
        }
    }

    /// The terminal behind the channel may have another size now: the driver is told if so. Any thread.
    package func windowSizeMayHaveChanged() { worker.wake() }

    package var configuration: [UInt8] {
        let window = port.currentWindow
        var bytes: [UInt8] = []
        for value in [window.columns, window.rows, 1, 0, 0, 0] {
            bytes += [UInt8(truncatingIfNeeded: value), UInt8(value >> 8)]
        }
        return bytes
    }

    package var configurationGeneration: UInt32 { port.currentWindow.generation }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {
        guard offset == Self.emergencyWriteOffset, let byte = bytes.first else { return }
        _ = channel.write([byte])
    }

    // MARK: Lifecycle

    package func start() throws {
        try worker.start()
        channel.setHandler { [worker] in worker.wake() }
    }

    package func activate(_ session: VirtioSession) { worker.activate(session) }
    package func startQueue(_ queue: VirtQueue) { worker.startQueue(queue) }
    package func notify(queue index: Int) { worker.wake() }
    package func doorbell(queue index: Int) -> Doorbell? { worker.doorbell }
    package func stopQueue(_ index: Int) { worker.stopQueue(index) }
    package func reset() { worker.reset() }
    package func pause() { worker.pause() }
    package func resume() { worker.resume() }

    package func stop() {
        channel.setHandler(nil)
        worker.stop()
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        let window = port.currentWindow
        var record = SavedRecord(kind: "virtio-console", version: 1)
        record.set("columns", window.columns)
        record.set("rows", window.rows)
        record.set("generation", window.generation)
        return record
    }

    /// The restored guest learns of the present terminal's size when the device goes on.
    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-console", versions: 1...1)
        port.currentWindow = ConsolePort.Window(
            columns: try state.integer("columns"), rows: try state.integer("rows"),
            generation: try state.integer("generation"))
    }
}

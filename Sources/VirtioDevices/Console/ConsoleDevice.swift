package import Machine
package import SavedState
internal import Synchronization
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
    private let service = Mutex<QueueService?>(nil)

    /// The device takes over the channel's handler.
    package init(channel: any CharacterChannel) {
        self.channel = channel
        port = ConsolePort(channel: channel)
    }

    package var configuration: [UInt8] {
        let window = port.currentWindow
        var bytes: [UInt8] = []
        for value in [window.columns, window.rows, 1, 0, 0, 0] {
            bytes += [UInt8(truncatingIfNeeded: value), UInt8(value >> 8)]
        }
        return bytes
    }

    package var configurationGeneration: UInt32 { port.currentWindow.generation }

    /// An emergency write for which the channel has no room is dropped: the driver cannot be made to wait.
    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {
        guard offset == Self.emergencyWriteOffset, let byte = bytes.first else { return }
        _ = channel.write([byte])
    }

    // MARK: Requests

    package func awaken(_ session: VirtioSession) {
        if port.updateWindow() { session.signals.signalConfigurationChange() }
    }

    package func serve(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        if request.queue == ConsolePort.receiveQueue {
            return port.receive(request.chain.writable, in: session.memory)
        }
        return port.transmit(request.chain.readable, in: session.memory) { service.withLock { $0 }?.wake() }
    }

    package func abandon(queue index: Int) {
        if index == ConsolePort.transmitQueue { port.transmittedCount = 0 }
    }

    // MARK: Lifecycle

    package func start(_ service: QueueService) {
        self.service.withLock { $0 = service }
        channel.setHandler { service.wake() }
    }

    package func stop() {
        channel.setHandler(nil)
        service.withLock { $0 = nil }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        let window = port.currentWindow
        var record = SavedRecord(kind: "virtio-console", version: 2)
        record.set("columns", window.columns)
        record.set("rows", window.rows)
        record.set("generation", window.generation)
        record.set("transmitted", UInt64(port.transmittedCount))
        return record
    }

    /// The restored guest learns of the present terminal's size when the device goes on.
    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-console", versions: 1...2)
        port.currentWindow = ConsolePort.Window(
            columns: try state.integer("columns"), rows: try state.integer("rows"),
            generation: try state.integer("generation"))
        port.transmittedCount =
            state.version == 1 ? 0 : Int(clamping: try state.integer("transmitted", as: UInt64.self))
    }
}

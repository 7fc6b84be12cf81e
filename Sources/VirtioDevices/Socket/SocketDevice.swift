package import HostSockets
package import HostSystem
package import SavedState
package import Virtio

/// Sockets between a guest and programs of its host (VIRTIO 1.2, section 5.10): streams, with the guest's and the host's ports.
///
///     offset  size  configuration
///          0     8  the guest's CID
///
/// Connections do not outlive a restore: the driver gets a reset for each. A transport reset event would also end connections that are made
/// just before the driver serves it.
package final class SocketDevice: VirtioDevice, @unchecked Sendable {
    // @unchecked: everything that changes is used on the loop's thread, or before `start` and after `stop`.

    private static let receiveQueue = 0
    private static let transmitQueue = 1
    private static let eventQueue = 2
    private static let transportReset: [UInt8] = [0, 0, 0, 0]
    /// The most data of a packet to the guest, in bytes.
    private static let mostData = 1 << 16

    package let type = VirtioDeviceType.socket
    /// Without any of its own, the device has streams.
    package let features: UInt64 = 0
    package let queueSizes: [UInt16] = [256, 256, 64]
    package let configuration: [UInt8]
    package let configurationGeneration: UInt32 = 0

    private let backend: any SocketBackend
    private let log: Log
    private let connections: SocketConnections
    private let link: Link
    private var mustAnnounceReset = false
    // The driver's packets wait until it has taken resets.
    private var isHeldUp = false

    /// - Parameters:
    ///   - guestCID: from 3 to 2^32 - 2.
    ///   - backend: the host's side; the device is its only user.
    package init(guestCID: UInt64, backend: any SocketBackend, log: Log = .silent) {
        self.backend = backend
        self.log = log
        let link = Link()
        self.link = link
        configuration = (0..<8).map { UInt8(truncatingIfNeeded: guestCID >> UInt64(8 * $0)) }
        connections = SocketConnections(guestCID: guestCID) { [backend] port in
            backend.connect(port: port)
        } changed: {
            link.device?.lookSoon()
        } served: { key in
            link.device?.connections.notice(key)
        }
        link.device = self
    }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {}

    // MARK: Requests

    package func serve(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        switch request.queue {
        case Self.receiveQueue: return receive(request.chain, session)
        case Self.transmitQueue: return transmit(request.chain, session)
        default:
            guard mustAnnounceReset else { return .waits }
            mustAnnounceReset = false
            return .done(written: request.chain.writable.write(Self.transportReset, in: session.memory))
        }
    }

    private func transmit(_ chain: DescriptorChain, _ session: VirtioSession) -> RequestProgress {
        guard
            let packet = SocketPacket(chain.readable.bytes(count: SocketPacket.size, in: session.memory))
        else { return .done(written: 0) }
        var pieces: [UnsafeRawBufferPointer] = []
        // More than the room of a connection is refused, whatever it is.
        let count = min(Int(packet.length), SocketConnection.room + 1)
        chain.readable.forEach(from: SocketPacket.size, count: count, in: session.memory) {
            pieces.append(UnsafeRawBufferPointer($0))
        }
        isHeldUp = !connections.take(packet, pieces)
        return isHeldUp ? .waits : .done(written: 0)
    }

    private func receive(_ chain: DescriptorChain, _ session: VirtioSession) -> RequestProgress {
        // A buffer without room for data would keep connections waiting for ever.
        guard chain.writable.count > SocketPacket.size else { return .done(written: 0) }
        var pieces: [UnsafeMutableRawBufferPointer] = []
        chain.writable.forEach(from: SocketPacket.size, count: Self.mostData, in: session.memory) { pieces.append($0) }
        guard let packet = connections.next(into: pieces) else { return .waits }
        chain.writable.write(packet.bytes, in: session.memory)
        chain.writable.markModified(from: SocketPacket.size, count: Int(packet.length), in: session.memory)
        if isHeldUp {
            isHeldUp = false
            link.service?.lookLater(at: Self.transmitQueue)
        }
        return .done(written: SocketPacket.size + Int(packet.length))
    }

    /// Has the driver's buffers looked at before the loop waits, once for all that happens until then.
    private func lookSoon() {
        guard let service = link.service, !link.isLooking else { return }
        link.isLooking = true
        service.loop.beforeWaiting { [link] in
            link.isLooking = false
            link.service?.look(at: Self.receiveQueue)
        }
    }

    // MARK: Lifecycle

    package func start(_ service: QueueService) throws {
        // Before the first handler can run.
        link.service = service
        do {
            try backend.start(on: service.loop, log: log) { [link] stream, port in
                guard let device = link.device else { return stream.close() }
                device.connections.connect(stream, toGuestPort: port)
            }
        } catch {
            link.service = nil
            throw error
        }
    }

    package func reset() {
        connections.forgetAll()
        isHeldUp = false
        mustAnnounceReset = false
    }

    package func stop() {
        // The loop goes on, and with it the handlers of streams.
        guard let loop = link.service?.loop else { return end() }
        loop.sync { [self] in end() }
    }

    private func end() {
        link.service = nil
        backend.stop()
        connections.closeAll()
    }

    // MARK: State

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-socket", version: 2)
        record.set("connections", connections.keys.map { UInt64($0.hostPort) << 32 | UInt64($0.guestPort) })
        return record
    }

    /// The programs at the other ends are those of another machine.
    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-socket", versions: 1...2)
        // Version 1 did not know the connections.
        mustAnnounceReset = state.version == 1
        guard state.version > 1 else { return }
        connections.reset(
            try state.integers("connections").map {
                SocketConnection.Key(
                    hostPort: UInt32(truncatingIfNeeded: $0 >> 32), guestPort: UInt32(truncatingIfNeeded: $0))
            })
    }

    /// What the handlers of the loop know of the device, which does not outlive them.
    private final class Link: @unchecked Sendable {
        // @unchecked: as the device.
        weak var device: SocketDevice?
        var service: QueueService?
        var isLooking = false
    }
}

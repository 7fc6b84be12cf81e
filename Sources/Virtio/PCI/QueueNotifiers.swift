internal import HostSystem
internal import Machine
internal import Synchronization

/// Keeps the event notifiers of a device's queues at its notification registers, which the guest moves as it likes.
///
/// A driver that places the registers over another part of the machine notifies its own device, or none.
final class QueueNotifiers: Sendable {
    // VIRTIO 1.2, section 4.1.5.2: without NOTIFICATION_DATA the driver writes the queue's index, 16 bits.
    private static let size = 2

    private struct Connection {
        let notifier: EventNotifier
        let address: UInt64
        let value: UInt64
    }

    private let board: any IOEventBoard
    private let notifiers: [EventNotifier?]
    private let connections = Mutex<[Connection]>([])

    /// - Parameter notifiers: one for each queue.
    init(board: any IOEventBoard, notifiers: [EventNotifier?]) {
        self.board = board
        self.notifiers = notifiers
    }

    /// Moves the notifiers to where `place` says that queue 0 is notified, with `stride` bytes from queue to queue; nil: nowhere.
    /// `place` is asked with all other moves held off, so that the last one is true.
    func move(stride: UInt64, to place: () -> UInt64?) {
        connections.withLock { connections in
            let base = place()
            guard base != connections.first?.address || connections.isEmpty else { return }
            for old in connections {
                board.disconnect(old.notifier, at: old.address, size: Self.size, value: old.value)
            }
            connections = []
            guard let base else { return }
            for case (let index, let notifier?) in notifiers.enumerated() {
                let new = Connection(notifier: notifier, address: base + stride * UInt64(index), value: UInt64(index))
                if board.connect(new.notifier, at: new.address, size: Self.size, value: new.value) {
                    connections.append(new)
                }
            }
        }
    }
}

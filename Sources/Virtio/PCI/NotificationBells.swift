internal import HostSystem
internal import Machine
internal import Synchronization

/// Keeps the bells of a device's queues where its notification registers are, which the guest moves as it likes.
///
/// A driver that places them over something else of the machine rings its own device only, or nobody.
final class NotificationBells: Sendable {
    // VIRTIO 1.2, section 4.1.5.2: without NOTIFICATION_DATA the driver writes the queue's index, 16 bits.
    private static let size = 2

    private struct Connection {
        let bell: Doorbell
        let address: UInt64
        let value: UInt64
    }

    private let board: any DoorbellBoard
    private let bells: [Doorbell?]
    private let connections = Mutex<[Connection]>([])

    /// - Parameter bells: one for each queue.
    init(board: any DoorbellBoard, bells: [Doorbell?]) {
        self.board = board
        self.bells = bells
    }

    /// Moves the bells to where `place` says that queue 0 is notified, with `stride` bytes from queue to queue; nil: nowhere.
    /// `place` is asked with all other moves held off, so that the last one is true.
    func move(stride: UInt64, to place: () -> UInt64?) {
        connections.withLock { connections in
            let base = place()
            guard base != connections.first?.address || connections.isEmpty else { return }
            for old in connections {
                board.disconnect(old.bell, at: old.address, size: Self.size, value: old.value)
            }
            connections = []
            guard let base else { return }
            for case (let index, let bell?) in bells.enumerated() {
                let new = Connection(bell: bell, address: base + stride * UInt64(index), value: UInt64(index))
                if board.connect(new.bell, at: new.address, size: Self.size, value: new.value) {
                    connections.append(new)
                }
            }
        }
    }
}

internal import Machine
internal import Synchronization
internal import Virtio

/// What the worker of a console does: output from the transmit queue, input into the receive queue as far as there are
/// buffers for it, and the window's size.
final class ConsolePort: Sendable {
    /// What the driver sees of the terminal's size.
    struct Window: Equatable {
        var columns: UInt16 = 0
        var rows: UInt16 = 0
        var generation: UInt32 = 0
    }

    private static let receiveQueue = 0
    private static let transmitQueue = 1
    /// The most bytes to move at once.
    private static let stepSize = 4096

    private let channel: any CharacterChannel
    private let window = Mutex(Window())

    init(channel: any CharacterChannel) {
        self.channel = channel
        updateWindow()
    }

    var currentWindow: Window {
        get { window.withLock { $0 } }
        set { window.withLock { $0 = newValue } }
    }

    /// Takes over the terminal's size.
    ///
    /// - Returns: whether it had changed.
    @discardableResult
    func updateWindow() -> Bool {
        let size = channel.windowSize ?? (0, 0)
        return window.withLock { window in
            guard (window.columns, window.rows) != size else { return false }
            window = Window(columns: size.columns, rows: size.rows, generation: window.generation &+ 1)
            return true
        }
    }

    func serve(_ turn: QueueWorker.Turn) throws(VirtQueueError) {
        if updateWindow() { turn.session.signals.signalConfigurationChange() }
        if let queue = turn.queue(Self.transmitQueue) { try transmit(queue, turn) }
        if let queue = turn.queue(Self.receiveQueue) { try receive(queue, turn) }
    }

    private func transmit(_ queue: VirtQueue, _ turn: QueueWorker.Turn) throws(VirtQueueError) {
        repeat {
            try queue.disableNotifications()
            while !turn.mustYield, let chain = try queue.pop() {
                var done = 0
                while done < chain.readable.count, !turn.mustAbandon {
                    let bytes = chain.readable.bytes(from: done, count: Self.stepSize, in: turn.session.memory)
                    _ = channel.write(bytes)
                    done += bytes.count
                }
                if turn.mustAbandon { return }
                try queue.complete(chain, written: 0)
                if try queue.shouldSignal() { turn.session.signals.signalQueue(queue.index) }
            }
            if turn.mustYield { return }
        } while try queue.enableNotifications()
    }

    private func receive(_ queue: VirtQueue, _ turn: QueueWorker.Turn) throws(VirtQueueError) {
        repeat {
            try queue.disableNotifications()
            while !turn.mustYield, let chain = try queue.pop() {
                let room = min(chain.writable.count, Self.stepSize)
                let bytes = room > 0 ? channel.read(limit: room) : []
                if bytes.isEmpty, room > 0 {
                    // The buffer waits for input, whose handler wakes the worker.
                    queue.putBack()
                    return
                }
                chain.writable.write(bytes, in: turn.session.memory)
                try queue.complete(chain, written: bytes.count)
                if try queue.shouldSignal() { turn.session.signals.signalQueue(queue.index) }
            }
            if turn.mustYield { return }
        } while try queue.enableNotifications()
    }
}

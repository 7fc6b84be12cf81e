internal import HostSystem
internal import Machine

/// The host side of the control port: words to the guest's init, one a line. The port is a virtio console of its own.
///
/// The only word so far is `poweroff`. Output of the guest is ignored.
final class ControlChannel: CharacterChannel {
    private let waiting = Monitor<[UInt8]>([])
    private let handler = HandlerSlot()

    /// Leaves a word for the guest, which may not listen yet, or never.
    func send(_ word: String) {
        waiting.withLock { waiting in
            // A word that waits already need not be repeated.
            if waiting.isEmpty { waiting = Array("\(word)\n".utf8) }
        }
        handler.call()
    }

    func read(limit: Int) -> [UInt8] {
        waiting.withLock { waiting in
            let taken = Array(waiting.prefix(limit))
            waiting.removeFirst(taken.count)
            return taken
        }
    }

    func write(_ bytes: [UInt8]) -> Int { bytes.count }

    func setHandler(_ handler: (@Sendable () -> Void)?) { self.handler.set(handler) }

    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

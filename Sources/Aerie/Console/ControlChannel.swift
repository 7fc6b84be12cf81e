internal import HostSystem
internal import Machine

/// The host side of the control port: words to the guest's init, one a line. The port is a virtio console of its own.
///
/// The only word so far is `poweroff`. What the guest writes is ignored.
final class ControlChannel: CharacterChannel {
    private struct State {
        var waiting: [UInt8] = []
        var handler: (@Sendable () -> Void)?
    }

    private let state = Monitor(State())

    /// Leaves a word for the guest, which may not listen yet, or never.
    func send(_ word: String) {
        let handler = state.update { state in
            // Nobody needs to hear it twice.
            if state.waiting.isEmpty { state.waiting = Array("\(word)\n".utf8) }
            return state.handler
        }
        handler?()
    }

    func read(limit: Int) -> [UInt8] {
        state.update { state in
            let taken = Array(state.waiting.prefix(limit))
            state.waiting.removeFirst(taken.count)
            return taken
        }
    }

    func write(_ bytes: [UInt8]) -> Int { bytes.count }

    func setHandler(_ handler: (@Sendable () -> Void)?) { state.update { $0.handler = handler } }

    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

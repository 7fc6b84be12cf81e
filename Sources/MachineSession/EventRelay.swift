internal import Aerie
internal import HostSystem

/// Passes the console's events on to the stopper, which is made after the console.
final class EventRelay: Sendable {
    private struct State {
        var stopper: GuestStopper?
        var lossReason: String?
    }

    private let state = Monitor(State())

    func connect(_ stopper: GuestStopper) { state.withLock { $0.stopper = stopper } }

    func disconnect() { state.withLock { $0.stopper = nil } }

    /// Why output was lost; nil when it was not.
    var lossReason: String? { state.withLock { $0.lossReason } }

    func send(_ event: TerminalChannel.Event) {
        let stopper = state.withLock { state in
            if case .outputLost(let reason) = event { state.lossReason = reason }
            return state.stopper
        }
        switch event {
        case .escape: stopper?.leave()
        case .outputLost: stopper?.ask()
        }
    }
}

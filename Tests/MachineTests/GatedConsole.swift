import Aerie
import HostSystem

/// A console at which a machine's start or end stands still until the test lets it go on.
final class GatedConsole: ConsoleChannel {
    enum Point: Sendable {
        /// The console's device starts.
        case connecting
        /// The console's device stops.
        case disconnecting
    }

    private struct State {
        var isReached = false
        var isOpen = false
    }

    private let point: Point
    private let state = Monitor(State())

    init(closedOn point: Point) {
        self.point = point
    }

    /// Returns when the machine stands at the gate.
    func waitUntilReached() { _ = state.wait { $0.isReached ? () : nil } }

    func open() { state.update { $0.isOpen = true } }

    func read(limit: Int) -> [UInt8] { [] }
    func write(_ bytes: [UInt8]) -> Int { bytes.count }

    func setHandler(_ handler: (@Sendable () -> Void)?) {
        guard (handler == nil) == (point == .disconnecting) else { return }
        state.update { $0.isReached = true }
        _ = state.wait { $0.isOpen ? () : nil }
    }

    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

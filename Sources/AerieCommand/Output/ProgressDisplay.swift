internal import Foundation
internal import GuestImages
internal import HostSystem
internal import Synchronization

/// A build's progress on standard error: one line that changes on a terminal, a line for each phase otherwise.
final class ProgressDisplay: Sendable {
    private struct State {
        var phase: BuildProgress.Phase?
        var lastDrawn: UInt64 = 0
        var hasLine = false
    }

    private static let interval: UInt64 = 100_000_000
    private static let barWidth = 24

    private let title: String
    private let isTerminal = StandardError.isTerminal
    private let state = Mutex(State())

    init(title: String) {
        self.title = title
    }

    /// Shows a step. Any thread.
    func show(_ progress: BuildProgress) {
        let text = state.withLock { state -> String? in
            let isNewPhase = state.phase != progress.phase
            state.phase = progress.phase
            guard isTerminal else { return isNewPhase ? "\(title): \(progress.phase.rawValue)\n" : nil }
            let now = HostClock.monotonic()
            guard isNewPhase || now &- state.lastDrawn >= Self.interval else { return nil }
            state.lastDrawn = now
            state.hasLine = true
            let columns = Int(Terminal.windowSize(STDERR_FILENO)?.columns ?? 80)
            return "\r\u{1b}[K" + line(progress).prefix(max(columns - 1, 1))
        }
        if let text { StandardError.write(text) }
    }

    /// Takes the changing line away.
    func finish() {
        if state.withLock({ $0.hasLine }) { StandardError.write("\r\u{1b}[K") }
    }

    private func line(_ progress: BuildProgress) -> String {
        var text = "\(title): \(progress.phase.rawValue)"
        if progress.total > 0 {
            let done = min(progress.completed, progress.total)
            let filled = Int(Double(done) / Double(progress.total) * Double(Self.barWidth))
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.barWidth - filled)
            let numbers =
                progress.unit == .bytes
                ? "\(HumanSize.text(done)) of \(HumanSize.text(progress.total))" : "\(done) of \(progress.total)"
            text += " [\(bar)] \(numbers)"
        }
        return progress.item.isEmpty ? text : "\(text) \(progress.item)"
    }
}

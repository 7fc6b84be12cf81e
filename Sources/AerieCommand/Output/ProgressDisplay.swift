internal import Foundation
internal import GuestImages
internal import HostSystem
internal import Synchronization

/// Progress of long work on standard error: one line that changes on a terminal, a line for each phase otherwise.
final class ProgressDisplay: Sendable {
    private struct State {
        var phase: String?
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

    /// Shows a step of a build. Any thread.
    func show(_ progress: BuildProgress) {
        show(progress.phase.rawValue) { line(progress) }
    }

    /// Shows bytes that are done. Any thread.
    func show(_ phase: String, completed: UInt64, of total: UInt64) {
        show(phase) {
            "\(title): \(phase)" + bar(completed, total, "\(HumanSize.text(completed)) of \(HumanSize.text(total))")
        }
    }

    /// Shows bytes that are done, where nobody knows how many there will be. Any thread.
    func show(_ phase: String, done: UInt64) {
        show(phase) { "\(title): \(phase) \(HumanSize.text(done))" }
    }

    private func show(_ phase: String, _ line: () -> String) {
        let text = state.withLock { state -> String? in
            let isNewPhase = state.phase != phase
            state.phase = phase
            guard isTerminal else { return isNewPhase ? "\(title): \(phase)\n" : nil }
            let now = HostClock.monotonic()
            guard isNewPhase || now &- state.lastDrawn >= Self.interval else { return nil }
            state.lastDrawn = now
            state.hasLine = true
            let columns = Int(Terminal.windowSize(STDERR_FILENO)?.columns ?? 80)
            return "\r\u{1b}[K" + line().prefix(max(columns - 1, 1))
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
            let numbers =
                progress.unit == .bytes
                ? "\(HumanSize.text(done)) of \(HumanSize.text(progress.total))" : "\(done) of \(progress.total)"
            text += bar(done, progress.total, numbers)
        }
        return progress.item.isEmpty ? text : "\(text) \(progress.item)"
    }

    private func bar(_ done: UInt64, _ total: UInt64, _ numbers: String) -> String {
        let filled = total == 0 ? 0 : Int(Double(min(done, total)) / Double(total) * Double(Self.barWidth))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.barWidth - filled)
        return " [\(bar)] \(numbers)"
    }
}

internal import Synchronization

/// Follows the second stage by what the guest writes to its console.
final class SecondStageConsole: Sendable {
    private struct State {
        var line: [UInt8] = []
        var tail: [String] = []
        var configured: UInt64 = 0
        var failure: String?
    }

    /// A guest decides how much it writes: a line is cut here, and only the last lines are kept.
    private static let longestLine = 4096
    private static let keptLines = 200

    private let state = Mutex(State())
    private let total: UInt64
    private let progress: @Sendable (BuildProgress) -> Void

    /// - Parameter total: how many packages the guest is to configure.
    init(total: UInt64, progress: @escaping @Sendable (BuildProgress) -> Void) {
        self.total = total
        self.progress = progress
    }

    /// The second stage begins.
    func begin() { progress(BuildProgress(phase: .configuring, completed: 0, total: total)) }

    /// Takes the next bytes of the console.
    func receive(_ bytes: [UInt8]) {
        let items = state.withLock { state in
            var items: [BuildProgress] = []
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    if let item = Self.finishLine(&state, total: total) { items.append(item) }
                } else if state.line.count < Self.longestLine {
                    state.line.append(byte)
                }
            }
            return items
        }
        items.forEach(progress)
    }

    /// The console's last lines, for an error message's details.
    var tail: String { state.withLock { $0.tail.joined(separator: "\n") } }

    /// What the second stage said went wrong, if it came to say so.
    var failure: String? { state.withLock { $0.failure } }

    private static func finishLine(_ state: inout State, total: UInt64) -> BuildProgress? {
        let printable = state.line.filter { $0 >= 32 && $0 != 127 || $0 == 9 }
        let line = String(decoding: printable, as: UTF8.self)
        state.line.removeAll(keepingCapacity: true)
        state.tail.append(line)
        if state.tail.count > keptLines { state.tail.removeFirst() }

        let failed = "aerie-stage2: failed: "
        let settingUp = "Setting up "
        if line.hasPrefix(failed) { state.failure = String(line.dropFirst(failed.count)) }
        guard line.hasPrefix(settingUp) else { return nil }
        state.configured += 1
        let name = line.dropFirst(settingUp.count).prefix { $0 != " " && $0 != ":" }
        return BuildProgress(
            phase: .configuring, completed: min(state.configured, total), total: total, unit: .packages,
            item: String(name))
    }
}

import Machine
import Synchronization

/// An interrupt sink that remembers every change, for assertions, and can be waited for.
final class RecordingSink: InterruptSink {
    private struct State {
        var levels: [Int: Bool] = [:]
        var raises: [Int: Int] = [:]
    }

    private let state = Mutex(State())

    func setInterrupt(_ number: Int, level: Bool) {
        state.withLock { state in
            if level, state.levels[number] != true { state.raises[number, default: 0] += 1 }
            state.levels[number] = level
        }
    }

    /// The level last set; nil when the line was never set.
    func level(_ number: Int) -> Bool? { state.withLock { $0.levels[number] } }

    /// How often the line went from low to high.
    func raises(_ number: Int) -> Int { state.withLock { $0.raises[number, default: 0] } }

    /// The numbers of all lines that are high.
    var high: Set<Int> { state.withLock { Set($0.levels.filter(\.value).keys) } }

    func line(_ number: Int) -> InterruptLine { InterruptLine(sink: self, number: number) }
}

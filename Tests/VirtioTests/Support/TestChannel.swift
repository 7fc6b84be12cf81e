import HostSystem
import Machine

/// A terminal made of two arrays.
final class TestChannel: CharacterChannel {
    struct State {
        var input: [UInt8] = []
        var output: [UInt8] = []
        var largestRead = 0
        var window: (columns: UInt16, rows: UInt16)?
        var handler: (@Sendable () -> Void)?
    }

    let state = Monitor(State())

    func read(limit: Int) -> [UInt8] {
        state.update { state in
            let bytes = Array(state.input.prefix(limit))
            state.input.removeFirst(bytes.count)
            state.largestRead = max(state.largestRead, limit)
            return bytes
        }
    }

    func write(_ bytes: [UInt8]) -> Int {
        state.update { $0.output += bytes }
        return bytes.count
    }
    func setHandler(_ handler: (@Sendable () -> Void)?) { state.update { $0.handler = handler } }
    var windowSize: (columns: UInt16, rows: UInt16)? { state.withLock { $0.window } }

    func type(_ bytes: [UInt8]) {
        let handler = state.update { state in
            state.input += bytes
            return state.handler
        }
        handler?()
    }

    var output: [UInt8] { state.withLock { $0.output } }
    var waiting: Int { state.withLock { $0.input.count } }
}

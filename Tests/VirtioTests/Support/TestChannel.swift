import HostSystem
import Machine

/// A terminal made of two arrays.
final class TestChannel: CharacterChannel {
    struct State {
        var input: [UInt8] = []
        var output: [UInt8] = []
        /// Bytes of output that are taken before the reader has to read.
        var room = Int.max
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
        state.update { state in
            let taken = min(bytes.count, state.room)
            state.output += bytes.prefix(taken)
            if state.room != .max { state.room -= taken }
            return taken
        }
    }

    /// The reader has read.
    func makeRoom(_ count: Int) {
        state.update { $0.room += count }
        changed()
    }

    func changed() { state.withLock { $0.handler }?() }

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

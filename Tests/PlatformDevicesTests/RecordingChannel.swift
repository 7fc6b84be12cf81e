import Machine
import Synchronization

/// A character channel of two byte queues.
final class RecordingChannel: CharacterChannel {
    private struct State {
        var input: [UInt8] = []
        var writes: [[UInt8]] = []
        var handler: (@Sendable () -> Void)?
        /// Bytes of output that are taken; nil is no limit.
        var room: Int?
    }

    private let state = Mutex(State())

    /// Queues input and tells the device, as a host thread would.
    func type(_ bytes: [UInt8]) {
        let handler = state.withLock { state in
            state.input += bytes
            return state.handler
        }
        handler?()
    }

    /// Limits how much output is taken from now on, and tells the device when that is something.
    func makeRoom(_ count: Int?) {
        let handler = state.withLock { state in
            state.room = count
            return state.handler
        }
        if count != 0 { handler?() }
    }

    var waiting: [UInt8] { state.withLock { $0.input } }
    var writes: [[UInt8]] { state.withLock { $0.writes } }
    var output: [UInt8] { Array(writes.joined()) }
    var hasHandler: Bool { state.withLock { $0.handler != nil } }

    func read(limit: Int) -> [UInt8] {
        state.withLock { state in
            let bytes = Array(state.input.prefix(limit))
            state.input.removeFirst(bytes.count)
            return bytes
        }
    }

    func write(_ bytes: [UInt8]) -> Int {
        state.withLock { state in
            let count = min(bytes.count, state.room ?? bytes.count)
            state.writes.append(Array(bytes.prefix(count)))
            state.room? -= count
            return count
        }
    }

    func setHandler(_ handler: (@Sendable () -> Void)?) { state.withLock { $0.handler = handler } }

    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

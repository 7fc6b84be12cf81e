import Aerie
import Synchronization

/// A console that keeps what the guest writes, and says what it is told to.
final class RecordingConsole: ConsoleChannel {
    private struct State {
        var written: [UInt8] = []
        var input: [UInt8] = []
        var handler: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var text: String { String(decoding: state.withLock { $0.written }, as: UTF8.self) }

    /// Tells a load that it has worked long enough: it ends after the rounds whose result it prints.
    func tellToEnd() { type("e") }

    func type(_ text: String) {
        let handler = state.withLock { state in
            state.input += text.utf8
            return state.handler
        }
        handler?()
    }

    func read(limit: Int) -> [UInt8] {
        state.withLock { state in
            let bytes = Array(state.input.prefix(limit))
            state.input.removeFirst(bytes.count)
            return bytes
        }
    }

    func write(_ bytes: [UInt8]) -> Int {
        state.withLock { $0.written += bytes }
        return bytes.count
    }

    func setHandler(_ handler: (@Sendable () -> Void)?) { state.withLock { $0.handler = handler } }
    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

import Aerie
import Synchronization

/// A console that keeps what the guest writes, and has nothing to say to it.
final class RecordingConsole: ConsoleChannel {
    private let written = Mutex<[UInt8]>([])

    var text: String { String(decoding: written.withLock { $0 }, as: UTF8.self) }

    func read(limit: Int) -> [UInt8] { [] }
    func write(_ bytes: [UInt8]) -> Int {
        written.withLock { $0 += bytes }
        return bytes.count
    }
    func setHandler(_ handler: (@Sendable () -> Void)?) {}
    var windowSize: (columns: UInt16, rows: UInt16)? { nil }
}

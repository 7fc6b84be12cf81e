import Machine
import Synchronization

/// Keeps the messages that devices send.
final class MessageRecorder: MessageSink {
    private let sent = Mutex<[InterruptMessage]>([])
    var all: [InterruptMessage] { sent.withLock { $0 } }
    func send(_ message: InterruptMessage) { sent.withLock { $0.append(message) } }
}

/// Knows the levels of interrupt lines.
final class LineRecorder: InterruptSink {
    private let levels = Mutex<[Int: Bool]>([:])
    var high: [Int] { levels.withLock { levels in levels.filter(\.value).keys.sorted() } }
    func setInterrupt(_ number: Int, level: Bool) { levels.withLock { $0[number] = level } }
}

import HostSystem
import Synchronization
import Testing

@Suite("Log")
struct LogTests {
    @Test("A cause that repeats passes five times, then once every ten seconds with the number of those dropped")
    func bounded() {
        let time = Mutex<UInt64>(0)
        let messages = Mutex<[LogMessage]>([])
        let log = Log(level: .info, clock: { time.withLock { $0 } }) { message in
            messages.withLock { $0.append(message) }
        }
        for number in 1...1000 { log.note(.warning, "virtio0", cause: "queue", "mistake \(number)") }
        log.note(.warning, "virtio1", cause: "queue", "another device")
        log.note(.warning, "virtio0", cause: "reset", "another cause")
        time.withLock { $0 = Log.interval }
        log.note(.warning, "virtio0", cause: "queue", "later")
        log.note(.warning, "virtio0", cause: "queue", "too soon")
        #expect(
            messages.withLock { $0.map(\.text) } == (1...5).map { "mistake \($0)" } + [
                "another device", "another cause", "later (995 more like this were not reported)",
            ])
    }

    @Test("Messages that are less important than the level do not pass and are not composed")
    func levels() {
        let messages = Mutex<[LogLevel]>([])
        let log = Log(level: .warning) { message in messages.withLock { $0.append(message.level) } }
        var wasComposed = false
        func compose() -> String {
            wasComposed = true
            return ""
        }
        log.note(.info, "x", cause: "a", compose())
        #expect(!wasComposed)
        log.note(.warning, "x", cause: "a", "")
        log.note(.error, "x", cause: "a", "")
        #expect(messages.withLock { $0 } == [.warning, .error])
    }
}

import HostSystem
import Machine
import PCI
import Synchronization
import TestSupport
import Testing

@testable import PlatformDevices

@Suite("Watchdogs") struct WatchdogTests {
    /// A loop of its own, and a record of what the watchdog reports.
    private final class Surroundings: Sendable {
        let timeBase = TimeBase()
        let loop: EventLoop
        private let events: Mutex<[SystemEvent]>

        init() throws {
            loop = try EventLoop(name: "watchdog-test")
            events = Mutex([])
            try loop.start()
        }

        deinit { loop.stop() }

        var handler: SystemEventHandler {
            { [weak self] event in self?.events.withLock { $0.append(event) } }
        }
        var all: [SystemEvent] { events.withLock { $0 } }

        /// Lets the guest's time pass, and what is due happen.
        func pass(seconds: UInt64) {
            timeBase.set(timeBase.now + seconds * TimeBase.frequency)
            loop.sync {}
        }
    }

    // MARK: Allwinner's

    private static let restart: UInt64 = 0xA57 << 1 | 1
    private static let key: UInt64 = 0x16AA << 16

    private func allwinner(_ surroundings: Surroundings) -> AllwinnerWatchdog {
        AllwinnerWatchdog(
            name: "watchdog", timeBase: surroundings.timeBase, loop: surroundings.loop, handler: surroundings.handler)
    }

    @Test("A guest that stops to serve it is reported once, after the interval that it chose")
    func expiry() throws {
        let surroundings = try Surroundings()
        let watchdog = allwinner(surroundings)
        try watchdog.start()
        defer { watchdog.stop() }
        // 16 seconds, as Linux starts it.
        watchdog.write(offset: 0x18, size: 4, value: Self.key | 0xB0)
        watchdog.write(offset: 0x10, size: 4, value: Self.restart)
        watchdog.write(offset: 0x14, size: 4, value: Self.key | 1)
        watchdog.write(offset: 0x18, size: 4, value: Self.key | 0xB1)
        for _ in 0..<3 {
            surroundings.pass(seconds: 15)
            watchdog.pause()
            watchdog.resume()
            surroundings.loop.sync {}
            #expect(surroundings.all == [])
            watchdog.write(offset: 0x10, size: 4, value: Self.restart)
        }
        surroundings.pass(seconds: 17)
        watchdog.pause()
        watchdog.resume()
        #expect(Patience.wait { surroundings.all == [.watchdog] })
        surroundings.pass(seconds: 100)
        watchdog.resume()
        surroundings.loop.sync {}
        #expect(surroundings.all == [.watchdog])
    }

    @Test("It counts the guest's time, and nothing while the machine is paused or the watchdog is off")
    func pausing() throws {
        let surroundings = try Surroundings()
        let watchdog = allwinner(surroundings)
        try watchdog.start()
        defer { watchdog.stop() }
        watchdog.write(offset: 0x18, size: 4, value: Self.key | 0x11)
        watchdog.pause()
        surroundings.pass(seconds: 5)
        #expect(surroundings.all == [])
        // Switched off while it is overdue.
        watchdog.write(offset: 0x18, size: 4, value: Self.key | 0x10)
        watchdog.resume()
        surroundings.loop.sync {}
        #expect(surroundings.all == [])
        // The shortest interval, half a second of real time.
        watchdog.write(offset: 0x18, size: 4, value: Self.key | 0x01)
        #expect(Patience.wait { surroundings.all == [.watchdog] })
    }

    @Test("Writes without their key, and of other widths, do nothing")
    func keys() throws {
        let surroundings = try Surroundings()
        let watchdog = allwinner(surroundings)
        watchdog.write(offset: 0x18, size: 4, value: 0xB1)
        watchdog.write(offset: 0x18, size: 2, value: 0xB1)
        watchdog.write(offset: 0x14, size: 4, value: 2)
        watchdog.write(offset: 0x10, size: 4, value: 1)
        watchdog.write(offset: 0x1C, size: 4, value: .max)
        #expect(watchdog.read(offset: 0x18, size: 4) == 0)
        #expect(watchdog.read(offset: 0x14, size: 4) == 1)
        watchdog.write(offset: 0x18, size: 4, value: Self.key | 0xFFFF)
        #expect(watchdog.read(offset: 0x18, size: 4) == 0xF1)
        watchdog.write(offset: 0, size: 8, value: .max)
        #expect(watchdog.read(offset: 0, size: 8) == 1)
        #expect(watchdog.read(offset: 0x10, size: 4) == 0)
    }

    @Test("One that only interrupts marks its status, and ends nothing")
    func interruptOnly() throws {
        let surroundings = try Surroundings()
        let watchdog = allwinner(surroundings)
        try watchdog.start()
        defer { watchdog.stop() }
        watchdog.write(offset: 0x14, size: 4, value: Self.key | 2)
        watchdog.write(offset: 0x18, size: 4, value: Self.key | 0x01)
        #expect(Patience.wait { watchdog.read(offset: 4, size: 4) == 1 })
        #expect(surroundings.all == [])
        watchdog.write(offset: 4, size: 4, value: 1)
        #expect(watchdog.read(offset: 4, size: 4) == 0)
    }

    @Test("A saved watchdog goes on with what was left of its time, and a reset switches it off")
    func saved() throws {
        let surroundings = try Surroundings()
        let first = allwinner(surroundings)
        first.write(offset: 0x18, size: 4, value: Self.key | 0x41)
        try SavedRecordCopy.expectEveryFieldIsChecked(of: first)
        let saved = try SavedRecordCopy.throughBytes(try first.save())
        surroundings.pass(seconds: 5)
        let second = allwinner(surroundings)
        try second.restore(saved)
        #expect(second.read(offset: 0x18, size: 4) == 0x41)
        try second.start()
        #expect(Patience.wait { surroundings.all == [.watchdog] })
        second.stop()
        let third = allwinner(surroundings)
        try third.restore(saved)
        third.reset()
        try third.start()
        surroundings.loop.sync {}
        #expect(surroundings.all == [.watchdog])
        #expect(third.read(offset: 0x18, size: 4) == 0)
        third.stop()
    }

    // MARK: Intel's

    private func intel(_ surroundings: Surroundings) -> IntelWatchdog {
        IntelWatchdog(
            name: "watchdog", timeBase: surroundings.timeBase, loop: surroundings.loop, handler: surroundings.handler)
    }

    private func unlock(_ watchdog: IntelWatchdog) {
        watchdog.write(bar: 0, offset: 0x0C, size: 2, value: 0x80)
        watchdog.write(bar: 0, offset: 0x0C, size: 2, value: 0x86)
    }

    private func setLock(_ value: UInt64, _ watchdog: IntelWatchdog) {
        watchdog.configuration.write(at: 0x68, size: 1, value: value)
        watchdog.configurationWritten(at: 0x68, size: 1)
    }

    /// As Linux's driver does.
    private func begin(_ watchdog: IntelWatchdog, seconds: UInt64) {
        watchdog.configuration.write(at: 0x60, size: 2, value: 3)
        watchdog.configurationWritten(at: 0x60, size: 2)
        setLock(0, watchdog)
        for stage in 0..<2 as Range<UInt64> {
            unlock(watchdog)
            watchdog.write(bar: 0, offset: 4 * stage, size: 4, value: seconds << 9)
        }
        unlock(watchdog)
        watchdog.write(bar: 0, offset: 0x0C, size: 2, value: 1 << 8)
        setLock(2, watchdog)
    }

    @Test("Intel's is reported when nobody restarts it, and says so to the guest afterwards")
    func intelExpiry() throws {
        let surroundings = try Surroundings()
        let watchdog = intel(surroundings)
        try watchdog.start()
        defer { watchdog.stop() }
        begin(watchdog, seconds: 30)
        surroundings.pass(seconds: 29)
        unlock(watchdog)
        watchdog.write(bar: 0, offset: 0x0C, size: 2, value: 1 << 8)
        surroundings.pass(seconds: 29)
        watchdog.resume()
        surroundings.loop.sync {}
        #expect(surroundings.all == [])
        // A restart without its keys is none.
        watchdog.write(bar: 0, offset: 0x0C, size: 2, value: 1 << 8)
        surroundings.pass(seconds: 3)
        watchdog.resume()
        #expect(Patience.wait { surroundings.all == [.watchdog] })
        watchdog.reset()
        #expect(watchdog.read(bar: 0, offset: 0x0C, size: 2) == 1 << 9)
        unlock(watchdog)
        watchdog.write(bar: 0, offset: 0x0C, size: 2, value: 1 << 9)
        #expect(watchdog.read(bar: 0, offset: 0x0C, size: 2) == 0)
        #expect(watchdog.configuration.read(at: 0, size: 4) == 0x25AB_8086)
    }

    @Test("Intel's can be locked, after which only a reset switches it off")
    func intelLock() throws {
        let surroundings = try Surroundings()
        let watchdog = intel(surroundings)
        begin(watchdog, seconds: 1)
        setLock(3, watchdog)
        setLock(0, watchdog)
        #expect(watchdog.configuration.read(at: 0x68, size: 1) == 3)
        try SavedRecordCopy.expectEveryFieldIsChecked(of: watchdog)
        watchdog.reset()
        #expect(watchdog.configuration.read(at: 0x68, size: 1) == 0)
        // Preloads have 20 bits.
        unlock(watchdog)
        watchdog.write(bar: 0, offset: 4, size: 4, value: .max)
        #expect(watchdog.read(bar: 0, offset: 4, size: 4) == 0xF_FFFF)
        watchdog.write(bar: 0, offset: 0, size: 4, value: 1)
        #expect(watchdog.read(bar: 0, offset: 0, size: 4) == 0xF_FFFF)
    }

    // MARK: Panics

    @Test("A panic is reported, and a crash kernel only logged")
    func panic() throws {
        let surroundings = try Surroundings()
        let messages = Mutex<[String]>([])
        let log = Log(level: .warning) { message in messages.withLock { $0.append(message.text) } }
        let notifier = PanicNotifier(name: "panic", log: log, handler: surroundings.handler)
        #expect(notifier.configuration.read(at: 0, size: 4) == 0x0011_1B36)
        #expect(notifier.read(bar: 0, offset: 0, size: 1) == 3)
        notifier.write(bar: 0, offset: 1, size: 1, value: 1)
        notifier.write(bar: 0, offset: 0, size: 1, value: 0xFC)
        notifier.write(bar: 0, offset: 0, size: 1, value: 2)
        #expect(surroundings.all == [])
        #expect(messages.withLock { $0 } == ["the guest's kernel panicked, and its crash kernel takes over"])
        notifier.write(bar: 0, offset: 0, size: 1, value: 1)
        #expect(surroundings.all == [.panic])
        try SavedRecordCopy.expectEveryFieldIsChecked(of: notifier)
    }
}

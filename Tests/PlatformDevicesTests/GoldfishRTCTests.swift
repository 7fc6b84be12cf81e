import HostSystem
import Machine
import PlatformDevices
import Synchronization
import TestSupport
import Testing

/// A wall clock that tests set.
private final class TestClock: Sendable {
    private let time: Atomic<UInt64>

    init(_ time: UInt64) { self.time = Atomic(time) }

    var now: UInt64 {
        get { time.load(ordering: .sequentiallyConsistent) }
        set { time.store(newValue, ordering: .sequentiallyConsistent) }
    }
}

/// A line that can be waited for.
private final class WaitingSink: InterruptSink {
    private let level = Monitor(false)

    func setInterrupt(_ number: Int, level: Bool) { self.level.update { $0 = level } }

    var isHigh: Bool { level.withLock { $0 } }

    func waitUntilHigh() { _ = level.wait { $0 ? () : nil } }
}

@Suite(.timeLimit(.minutes(10))) struct GoldfishRTCTests {
    private static let start: UInt64 = 0x1800_0000_9000_0000

    /// A started RTC at a clock that stands at `start`.
    private final class Fixture {
        let clock = TestClock(GoldfishRTCTests.start)
        let sink = WaitingSink()
        let rtc: GoldfishRTC

        init() throws {
            let clock = clock
            rtc = GoldfishRTC(name: "rtc", line: InterruptLine(sink: sink, number: 11)) { clock.now }
            try rtc.start()
        }

        deinit { rtc.stop() }

        func read(_ offset: UInt64) -> UInt64 { rtc.read(offset: offset, size: 4) }
        func write(_ offset: UInt64, _ value: UInt64) { rtc.write(offset: offset, size: 4, value: value) }

        /// The time as a driver reads it.
        var time: UInt64 {
            let low = read(0x00)
            return read(0x04) << 32 | low
        }

        func setAlarm(_ time: UInt64) {
            write(0x0C, time >> 32)
            write(0x08, time & 0xFFFF_FFFF)
        }
    }

    @Test func itShowsTheHostsTimeWithTheHighHalfOfTheMomentTheLowHalfWasRead() throws {
        let fixture = try Fixture()
        #expect(fixture.time == Self.start)
        fixture.clock.now = 0x1800_0000_FFFF_FFFF
        #expect(fixture.read(0x00) == 0xFFFF_FFFF)
        fixture.clock.now = 0x1800_0001_0000_0000
        #expect(fixture.read(0x04) == 0x1800_0000)
    }

    @Test func theGuestSetsItsOwnTimeAndItGoesOnFromThere() throws {
        let fixture = try Fixture()
        fixture.write(0x04, 0x1234)
        fixture.write(0x00, 0x5678)
        #expect(fixture.time == 0x0000_1234_0000_5678)
        fixture.clock.now += 1000
        #expect(fixture.time == 0x0000_1234_0000_5678 + 1000)
    }

    @Test func anAlarmInThePastFiresAtOnceAndTheLineWaitsForItsEnable() throws {
        let fixture = try Fixture()
        fixture.setAlarm(Self.start - 1)
        #expect(fixture.read(0x18) == 0)
        #expect(!fixture.sink.isHigh)
        fixture.write(0x10, 0xFFFF_FFFF)
        #expect(fixture.read(0x10) == 1)
        #expect(fixture.sink.isHigh)
        fixture.write(0x1C, 0)
        #expect(!fixture.sink.isHigh)
    }

    @Test func anAlarmFiresWhenItsTimeComesAndNotBefore() throws {
        let fixture = try Fixture()
        fixture.write(0x10, 1)
        fixture.setAlarm(Self.start + 1_000_000)
        #expect(fixture.read(0x18) == 1)
        #expect(fixture.read(0x08) == (Self.start + 1_000_000) & 0xFFFF_FFFF)
        #expect(fixture.read(0x0C) == Self.start >> 32)
        #expect(!fixture.sink.isHigh)
        fixture.clock.now += 1_000_000
        fixture.sink.waitUntilHigh()
        #expect(fixture.read(0x18) == 0)
    }

    @Test func aClearedAlarmDoesNotFire() throws {
        let fixture = try Fixture()
        fixture.write(0x10, 1)
        fixture.setAlarm(Self.start + 1_000_000)
        fixture.write(0x14, 0)
        #expect(fixture.read(0x18) == 0)
        fixture.clock.now += 2_000_000
        fixture.rtc.pause()
        fixture.rtc.resume()
        #expect(!fixture.sink.isHigh)
    }

    @Test func anAlarmThatComesDueWhilePausedFiresAtResume() throws {
        let fixture = try Fixture()
        fixture.write(0x10, 1)
        fixture.setAlarm(Self.start + 1_000_000)
        fixture.rtc.pause()
        fixture.clock.now += 1_000_000
        #expect(!fixture.sink.isHigh)
        fixture.rtc.resume()
        #expect(fixture.sink.isHigh)
    }

    @Test func anArmedAlarmAndTheGuestsTimeSurviveSaveAndRestore() throws {
        let fixture = try Fixture()
        fixture.write(0x04, 1)
        fixture.write(0x00, 0)
        fixture.write(0x10, 1)
        fixture.setAlarm(0x1_0000_0000 + 1_000_000)
        fixture.rtc.pause()
        let saved = try SavedRecordCopy.throughBytes(fixture.rtc.save())

        let other = try Fixture()
        other.rtc.pause()
        try other.rtc.restore(saved)
        other.rtc.resume()
        #expect(other.time == 0x1_0000_0000)
        #expect(other.read(0x18) == 1)
        #expect(!other.sink.isHigh)
        other.clock.now += 1_000_000
        other.sink.waitUntilHigh()
        other.rtc.pause()
        try SavedRecordCopy.expectEveryFieldIsChecked(of: other.rtc)
    }

    @Test func resetReturnsToTheHostsTimeWithoutAlarm() throws {
        let fixture = try Fixture()
        fixture.write(0x04, 0)
        fixture.write(0x10, 1)
        fixture.setAlarm(1)
        #expect(fixture.sink.isHigh)
        fixture.rtc.pause()
        fixture.rtc.reset()
        fixture.rtc.resume()
        #expect(!fixture.sink.isHigh)
        #expect(fixture.time == Self.start)
        #expect([0x08, 0x0C, 0x10, 0x18].map { fixture.read($0) } == [0, 0, 0, 0])
    }

    @Test func onlyAlignedWordsCountAndUnknownRegistersReadZero() throws {
        let fixture = try Fixture()
        for (offset, size) in [(UInt64(0x10), 1), (0x10, 2), (0x11, 4), (0x20, 4), (0xFF8, 8)] {
            fixture.rtc.write(offset: offset, size: size, value: .max)
            #expect(fixture.rtc.read(offset: offset, size: size) == 0)
        }
        #expect(fixture.read(0x10) == 0)
    }

    @Test func randomAccessesKeepTheClockSavable() throws {
        let fixture = try Fixture()
        var generator = SeededGenerator(seed: 11)
        generator.attack(fixture.rtc, size: GoldfishRTC.size, hotspots: [0, 8, 0x10, 0x18])
        fixture.rtc.pause()
        let saved = try fixture.rtc.save()
        try fixture.rtc.restore(saved)
        #expect(try fixture.rtc.save() == saved)
    }
}

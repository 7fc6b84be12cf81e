import HostSystem
import Machine
import Testing

@Suite struct TimeBaseTests {
    private let clock = TimeBase()

    @Test func aStoppedClockShowsWhatItWasSetTo() {
        clock.stop()
        for ticks in [0, 77, UInt64.max] as [UInt64] {
            clock.set(ticks)
            #expect(clock.now == ticks)
        }
        #expect(clock.hostTime(of: 0) == nil)
    }

    @Test func aClockGoesOnFromWhatItShowedAcrossTheWholeRange() {
        for ticks in [0, 1 << 40, 1 << 62, UInt64.max - (1 << 40)] as [UInt64] {
            clock.stop()
            clock.set(ticks)
            clock.start()
            #expect(clock.now &- ticks < TimeBase.frequency * 3600)
            clock.set(ticks / 2)
            #expect(clock.now &- ticks / 2 < TimeBase.frequency * 3600)
        }
    }

    @Test func aTimeThatHasComeIsNotInTheFuture() throws {
        clock.set(1 << 50)
        for ticks in [0, 1 << 20, 1 << 50] as [UInt64] {
            #expect(try #require(clock.hostTime(of: ticks)) <= HostClock.monotonic())
        }
    }

    @Test func aTimeToComeIsAsFarAsTheTicksBetween() throws {
        for start in [0, 1 << 50, UInt64.max - (1 << 44)] as [UInt64] {
            clock.set(start)
            let before = HostClock.monotonic()
            let time = try #require(clock.hostTime(of: start + (1 << 43)))
            // 100 ns a tick; what passed since `set` makes it less.
            #expect(time <= HostClock.monotonic() + (1 << 43) * 100)
            #expect(time + TimeBase.frequency * 3600 * 100 > before + (1 << 43) * 100)
        }
    }

    @Test func aTimeBeyondTheHostsRangeNeverComes() {
        clock.set(0)
        #expect(clock.hostTime(of: .max) == nil)
        // Near the end of the range, the highest time is close.
        clock.set(.max - TimeBase.frequency * 7200)
        #expect(clock.hostTime(of: .max) != nil)
    }
}

import Testing

@testable import PlatformDevices

@Suite("The clock of a PC") struct CMOSClockTests {
    /// 2026-11-23 14:05:09 UTC, a Monday.
    private static let seconds: Int64 = 1_795_442_709

    private func clock() -> CMOSClock { CMOSClock(name: "rtc", hostSeconds: { Self.seconds }) }

    private func read(_ clock: CMOSClock, _ register: UInt64) -> UInt64 {
        clock.write(offset: 0, size: 1, value: register)
        return clock.read(offset: 1, size: 1)
    }

    private func write(_ clock: CMOSClock, _ register: UInt64, _ value: UInt64) {
        clock.write(offset: 0, size: 1, value: register)
        clock.write(offset: 1, size: 1, value: value)
    }

    private func time(_ clock: CMOSClock) -> [UInt64] { [0x32, 9, 8, 7, 6, 4, 2, 0].map { read(clock, $0) } }

    @Test("It shows the host's time in decimal digits, and in binary or with 12 hours when asked")
    func reading() {
        let clock = clock()
        #expect(time(clock) == [0x20, 0x26, 0x11, 0x23, 2, 0x14, 5, 9])
        write(clock, 0xB, 6)
        #expect(time(clock) == [20, 26, 11, 23, 2, 14, 5, 9])
        write(clock, 0xB, 0)
        #expect(read(clock, 4) == 0x82)
        #expect(read(clock, 0xD) == 0x80)
        #expect(read(clock, 0xA) == 0x26)
    }

    @Test("A guest sets it, all at once while it is stopped")
    func setting() {
        let clock = clock()
        write(clock, 0xB, 0x82)
        for (register, value) in [(0x32, 0x19), (9, 0x99), (8, 0x12), (7, 0x31), (4, 0x23), (2, 0x59), (0, 0x58)]
            as [(UInt64, UInt64)]
        {
            write(clock, register, value)
        }
        write(clock, 0xB, 2)
        #expect(time(clock) == [0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58])
        clock.reset()
        #expect(time(clock) == [0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58])
    }

    @Test("Nonsense in its registers does no harm, and everything is saved")
    func hostileValues() throws {
        let clock = clock()
        for mode in [0x82, 0x86, 0x80, 0x84, 0x02, 0x06] as [UInt64] {
            write(clock, 0xB, mode)
            for register in 0..<256 as Range<UInt64> where register & 0x7F != 0xB {
                write(clock, register, 0xFF)
                _ = read(clock, register)
            }
        }
        write(clock, 0x40, 0x5A)
        let other = self.clock()
        try other.restore(try clock.save())
        #expect(time(other) == time(clock))
        #expect(read(other, 0x40) == 0x5A)
    }

    @Test("Days and dates belong together, from the first year to the last")
    func calendar() {
        for seconds in stride(from: -62_135_596_800, through: 253_402_300_799, by: 86_400 * 997 + 12_345)
            as StrideThrough<Int64>
        {
            #expect(CivilTime(seconds: seconds).seconds == seconds)
        }
        #expect(CivilTime(seconds: .max).yearOfCentury == 99 && CivilTime(seconds: .min).yearOfCentury == 1)
    }
}

import Machine
import PlatformDevices
import SavedState
import Synchronization
import TestSupport
import Testing

/// A hart's timer that remembers what it was last set to, and every value before.
private final class RecordingTimer: TimerTarget {
    private let values = Mutex<[UInt64]>([])

    func setMachineTimer(_ deadline: UInt64) { values.withLock { $0.append(deadline) } }

    var deadlines: [UInt64] { values.withLock { $0 } }
}

@Suite struct ACLINTTests {
    private let sink = RecordingSink()
    private let timers = [RecordingTimer(), RecordingTimer()]
    private let timeBase = TimeBase()
    private let aclint: ACLINT

    init() {
        aclint = Self.make(timers, sink, timeBase)
        timeBase.stop()
        timeBase.set(0x0000_0005_8000_0001)
        aclint.start()
    }

    private static func make(_ timers: [RecordingTimer], _ sink: RecordingSink, _ timeBase: TimeBase) -> ACLINT {
        ACLINT(
            name: "aclint", timeBase: timeBase,
            harts: timers.enumerated().map { ACLINT.Hart(timer: $1, softwareInterrupt: sink.line($0)) })
    }

    private func read(_ offset: UInt64, _ size: Int) -> UInt64 { aclint.read(offset: offset, size: size) }
    private func write(_ offset: UInt64, _ size: Int, _ value: UInt64) {
        aclint.write(offset: offset, size: size, value: value)
    }

    @Test func mtimeIsTheTimeBaseWholeAndInHalves() {
        #expect(read(0xBFF8, 8) == 0x0000_0005_8000_0001)
        #expect(read(0xBFF8, 4) == 0x8000_0001)
        #expect(read(0xBFFC, 4) == 5)
    }

    @Test func mtimeIsWrittenWholeAndInHalvesAndEveryTimerLooksAgain() {
        write(0x4008, 8, 77)
        write(0xBFF8, 8, 0xFFFF_FFFF_FFFF_FFF0)
        #expect(timeBase.now == 0xFFFF_FFFF_FFFF_FFF0)
        write(0xBFFC, 4, 6)
        #expect(timeBase.now == 0x6_FFFF_FFF0)
        write(0xBFF8, 4, 7)
        #expect(timeBase.now == 0x6_0000_0007)
        #expect(read(0xBFF8, 8) == 0x6_0000_0007)
        #expect(timers[0].deadlines == [.max, .max, .max, .max])
        #expect(timers[1].deadlines == [.max, 77, 77, 77, 77])
    }

    @Test func aResetSetsTheTimeToZero() {
        aclint.reset()
        #expect(timeBase.now == 0)
        #expect(read(0x4000, 8) == .max)
    }

    @Test func mtimecmpStartsAtItsHighestAndReachesItsOwnHartOnly() {
        #expect(read(0x4000, 8) == .max)
        write(0x4008, 8, 0x1122_3344_5566_7788)
        #expect(read(0x4008, 8) == 0x1122_3344_5566_7788)
        #expect(timers[0].deadlines == [.max])
        #expect(timers[1].deadlines == [.max, 0x1122_3344_5566_7788])
    }

    @Test func mtimecmpIsWrittenAndReadInHalves() {
        write(0x4004, 4, 0xFFFF_FFFF)
        write(0x4000, 4, 0x10)
        write(0x4004, 4, 0x2)
        #expect(timers[0].deadlines == [.max, .max, 0xFFFF_FFFF_0000_0010, 0x0000_0002_0000_0010])
        #expect(read(0x4000, 4) == 0x10)
        #expect(read(0x4004, 4) == 2)
    }

    @Test func msipIsOneBitThatIsTheLine() {
        write(4, 4, 0xFFFF_FFFF)
        #expect(sink.high == [1])
        #expect(read(4, 4) == 1)
        #expect(read(0, 8) == 0x1_0000_0000)
        write(4, 4, 0xFFFF_FFFE)
        #expect(sink.high == [])
        write(0, 8, 0x1_0000_0001)
        #expect(sink.high == [0, 1])
    }

    @Test func hartsAndSizesThatDoNotExistReadZeroAndChangeNothing() throws {
        let before = try aclint.save()
        for offset: UInt64 in [8, 0x3FF8, 0x4010, 0xBFF0, 0xC000, 0xFFF8] {
            write(offset, 8, .max)
            #expect(read(offset, 8) == 0)
        }
        for (offset, size) in [(UInt64(0), 1), (0, 2), (2, 4), (0x4000, 2), (0x4001, 8), (0x4002, 4)] {
            write(offset, size, 0)
            #expect(read(offset, size) == 0)
        }
        #expect(try aclint.save() == before)
    }

    @Test func aRestoredDeviceSetsTimersAndLinesWhenItStarts() throws {
        write(0x4000, 8, 1234)
        write(4, 4, 1)
        let saved = try SavedRecordCopy.throughBytes(aclint.save())
        let otherSink = RecordingSink()
        let otherTimers = [RecordingTimer(), RecordingTimer()]
        let other = Self.make(otherTimers, otherSink, timeBase)
        try other.restore(saved)
        #expect(otherTimers[0].deadlines == [])
        other.start()
        #expect(otherTimers.map(\.deadlines) == [[1234], [.max]])
        #expect(otherSink.high == [1])
        try SavedRecordCopy.expectEveryFieldIsChecked(of: other)
    }

    @Test func resetDisarmsTimersAndLinesAtResume() {
        write(0x4000, 8, 1234)
        write(0, 4, 1)
        aclint.pause()
        aclint.reset()
        aclint.resume()
        #expect(timers[0].deadlines.last == .max)
        #expect(sink.high == [])
    }

    @Test func randomAccessesKeepTheStateValid() throws {
        var generator = SeededGenerator(seed: 7)
        generator.attack(aclint, size: ACLINT.size, hotspots: [0, 0x4000, 0x4008, 0xBFF8])
        let saved = try aclint.save()
        let other = Self.make(timers, sink, timeBase)
        try other.restore(saved)
        #expect(try other.save() == saved)
        #expect(read(0xBFF8, 8) == timeBase.now)
    }

    @Test func aSupervisorSoftwareInterruptIsAnEdgeToItsHart() throws {
        let device = ACLINTSupervisor(name: "sswi", harts: (0..<3).map(sink.line))
        device.write(offset: 4, size: 4, value: 0xFFFF_FFFE)
        #expect(sink.level(1) == false)
        device.write(offset: 4, size: 4, value: 0xFFFF_FFFF)
        device.write(offset: 4, size: 4, value: 0)
        #expect(sink.high == [1])
        #expect(device.read(offset: 4, size: 4) == 0)
        var generator = SeededGenerator(seed: 8)
        generator.attack(device, size: ACLINTSupervisor.size, hotspots: [0])
        #expect(sink.high == [0, 1, 2])
        try SavedRecordCopy.expectEveryFieldIsChecked(of: device)
    }
}

import Machine
import PlatformDevices
import Synchronization
import TestSupport
import Testing

@Suite struct TestFinisherTests {
    private final class Events: Sendable {
        let all = Mutex<[SystemEvent]>([])
    }

    private func events(of writes: [(offset: UInt64, size: Int, value: UInt64)]) -> [SystemEvent] {
        let events = Events()
        let device = TestFinisher(name: "test0") { event in events.all.withLock { $0.append(event) } }
        for write in writes { device.write(offset: write.offset, size: write.size, value: write.value) }
        return events.all.withLock { $0 }
    }

    @Test func eachCommandIsItsEvent() {
        let writes = [0x5555, 0x7777, 0x3333, 0xBEEF_3333].map { (UInt64(0), 4, UInt64($0)) }
        #expect(events(of: writes) == [.powerOff, .reset, .failure(code: 0), .failure(code: 0xBEEF)])
    }

    @Test func aTwoByteWriteHasNoCodeAndAnEightByteWriteCountsByItsLowHalf() {
        #expect(events(of: [(0, 2, 0x5555)]) == [.powerOff])
        #expect(events(of: [(0, 2, 0xBEEF_3333)]) == [.failure(code: 0)])
        #expect(events(of: [(0, 8, 0xFFFF_FFFF_0001_3333)]) == [.failure(code: 1)])
    }

    @Test func otherValuesOffsetsAndSizesDoNothing() {
        let writes: [(offset: UInt64, size: Int, value: UInt64)] = [
            (0, 4, 0), (0, 4, 0xFFFF_FFFF), (0, 1, 0x55), (4, 4, 0x5555), (2, 2, 0x5555), (0, 4, 0x5555_0000),
        ]
        #expect(events(of: writes) == [])
    }

    @Test func itReadsAsZeroAndHasNoState() throws {
        let device = TestFinisher(name: "test0") { _ in }
        var generator = SeededGenerator(seed: 9)
        generator.attack(device, size: TestFinisher.size, hotspots: [0])
        #expect(device.read(offset: 0, size: 4) == 0)
        try SavedRecordCopy.expectEveryFieldIsChecked(of: device)
    }
}

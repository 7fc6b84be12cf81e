import Machine
import Synchronization
import Testing

@testable import PlatformDevices

@Suite("Power by registers") struct PowerControlTests {
    @Test("Only the right values switch off and reset")
    func values() {
        let recorder = Events()
        let power = PowerControl(name: "power") { recorder.append($0) }
        for value in 0..<256 as Range<UInt64> {
            power.write(offset: 0, size: 1, value: value)
            power.write(offset: 2, size: 1, value: value)
        }
        #expect(recorder.all == [.reset])
        for value in 0..<256 as Range<UInt64> { power.write(offset: 1, size: 1, value: value) }
        // Bit 5 with 5 in bits 2 to 4; the other four bits mean nothing.
        #expect(recorder.all.count == 17)
        power.write(offset: 1, size: 2, value: 0x34)
        #expect(recorder.all.count == 17 && recorder.all.dropFirst().allSatisfy { $0 == .powerOff })
        #expect(power.read(offset: 2, size: 1) == 0)
    }

    private final class Events: Sendable {
        private let events = Mutex<[SystemEvent]>([])
        var all: [SystemEvent] { events.withLock { $0 } }
        func append(_ event: SystemEvent) { events.withLock { $0.append(event) } }
    }
}

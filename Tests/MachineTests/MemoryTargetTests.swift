import Aerie
import Testing

@Suite("The memory that a guest shall have") struct MemoryTargetTests {
    private let firmware: SmallFirmware

    init() throws {
        firmware = try SmallFirmware.sleeping()
    }

    @Test("A target out of range is refused, and one in range is kept")
    func targets() throws {
        let machine = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        let size = firmware.configuration.memory
        for wrong in [ByteSize(bytes: 4096), ByteSize(bytes: size.bytes + 4096), ByteSize(bytes: (2 << 20) + 1)] {
            #expect(throws: AerieError.self) { try machine.setMemoryTarget(wrong) }
        }
        try machine.setMemoryTarget(.mebibytes(2))
        let statistics = machine.memoryStatistics
        #expect(statistics.size == size)
        #expect(statistics.target == .mebibytes(2))
        // The guest has no driver.
        #expect(statistics.current == size)
        #expect(statistics.guest == nil)
        #expect(statistics.returned == ByteSize(bytes: 0))
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    @Test("A machine without a free virtio-mmio slot has no balloon, and says so")
    func withoutBalloon() throws {
        var configuration = firmware.configuration
        configuration.networkCards = (0..<7).map { NetworkCard(network: .segment("memory-test-\($0)")) }
        let machine = try VirtualMachine(configuration, console: RecordingConsole())
        let error = #expect(throws: AerieError.self) { try machine.setMemoryTarget(.mebibytes(2)) }
        #expect(error?.category == .unavailable)
        #expect(error?.advice == "use the transport pci")
        #expect(machine.memoryStatistics.target == configuration.memory)
        configuration.networkCards = []
        configuration.transport = .pci
        try VirtualMachine(configuration, console: RecordingConsole()).setMemoryTarget(.mebibytes(2))
    }
}

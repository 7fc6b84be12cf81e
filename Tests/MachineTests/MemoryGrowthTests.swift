import Foundation
import GuestMemory
import HostSystem
import SavedState
import TestSupport
import Testing
import VirtioDevices

@testable import Aerie

@Suite("Memory that grows") struct MemoryGrowthTests {
    private let firmware: SmallFirmware
    private static let region: UInt64 = 0x1_0000_0000

    init() throws { firmware = try SmallFirmware.sleeping() }

    private func configuration(_ method: MemoryGrowth.Method?, limit: UInt64 = 80) -> Configuration {
        var result = firmware.configuration
        result.memoryGrowth = MemoryGrowth(limit: .mebibytes(limit), method: method)
        return result
    }

    private func machine(_ configuration: Configuration) throws -> VirtualMachine {
        try VirtualMachine(configuration, console: RecordingConsole())
    }

    /// Plugs the first blocks of the region as a guest's driver does, and writes to each.
    private func plug(_ count: Int, _ machine: VirtualMachine) throws {
        let device = try #require(machine.board.growth)
        let old = try device.save()
        var record = SavedRecord(kind: old.kind, version: old.version)
        for (name, value) in old.fields where name != "plugged" { record.set(name, value) }
        guard case .bytes(var bits) = old.fields["plugged"] else { throw CancellationError() }
        for block in 0..<count { bits[block / 8] |= 1 << UInt8(block % 8) }
        record.set("plugged", bits)
        try device.restore(record)
        for block in 0..<UInt64(count) {
            try machine.board.memory.store(block + 77, at: Self.region + block * MemoryDevice.blockSize + 4096)
        }
    }

    private func checkPlugged(_ count: Int, _ machine: VirtualMachine) throws {
        let status = try #require(machine.board.growth).status
        #expect(status == .init(requested: 32 << 20, plugged: UInt64(count) * MemoryDevice.blockSize))
        for block in 0..<UInt64(count) {
            let address = Self.region + block * MemoryDevice.blockSize + 4096
            #expect(try machine.board.memory.load(UInt64.self, at: address) == block + 77)
        }
        #expect(machine.memoryStatistics.size == .mebibytes(16 + 2 * UInt64(count)))
    }

    private func end(_ machine: VirtualMachine) {
        machine.kill()
        #expect(machine.wait() == .stopped)
    }

    // MARK: Settings

    @Test("Words and sizes that make no sense are refused")
    func settings() throws {
        #expect(try MemoryGrowth(option: "4G") == MemoryGrowth(limit: .mebibytes(4096)))
        #expect(
            try MemoryGrowth(option: "4G,by=balloon") == MemoryGrowth(limit: .mebibytes(4096), method: .balloon))
        #expect(
            try MemoryGrowth(option: "1G,by=hotplug") == MemoryGrowth(limit: .mebibytes(1024), method: .hotplug))
        for text in ["", "4X", ",", "4G,", "4G,hotplug", "4G,by=", "4G,by=acpi", "4G,by=balloon,by=hotplug"] {
            #expect(throws: AerieError.self, "\(text)") { try MemoryGrowth(option: text) }
        }
        for (limit, category) in [
            (ByteSize.mebibytes(8), AerieError.Category.usage), (ByteSize(bytes: (80 << 20) + 4096), .usage),
            (.mebibytes(17), .usage), (.mebibytes(1 << 21), .usage), (.mebibytes(1 << 20), .unavailable),
        ] {
            var configuration = firmware.configuration
            configuration.memoryGrowth = MemoryGrowth(limit: limit)
            let error = #expect(throws: AerieError.self, "\(limit)") { try configuration.validate() }
            #expect(error?.category == category)
        }
        var same = firmware.configuration
        same.memoryGrowth = MemoryGrowth(limit: same.memory, method: .hotplug)
        let machine = try machine(same)
        #expect(machine.board.growth == nil)
        #expect(machine.board.memory.size == same.memory.bytes)
    }

    @Test("A machine needs a slot for the device with which its memory grows")
    func slots() throws {
        for method in MemoryGrowth.Method.allCases {
            var configuration = configuration(method)
            configuration.networkCards = (0..<7).map { NetworkCard(network: .segment("growth-test-\($0)")) }
            let error = #expect(throws: AerieError.self) { try configuration.validate() }
            #expect(error?.advice == "use --transport pci")
            configuration.networkCards.removeLast()
            try configuration.validate()
        }
    }

    @Test(
        "The region lies behind the memory, and the kernel does not find it",
        arguments: [nil, .pci] as [Configuration.Transport?])
    func layout(transport: Configuration.Transport?) throws {
        var configuration = configuration(.hotplug)
        configuration.transport = transport
        let machine = try machine(configuration)
        let ranges = machine.board.memory.ranges
        // The region has whole memory blocks of Linux.
        #expect(ranges.map(\.base) == [0x8000_0000, Self.region])
        #expect(ranges.map(\.size) == [16 << 20, 128 << 20])
        #expect(configuration.bootMemory == 16 << 20)
        #expect(machine.board.growth?.base == Self.region)
        #expect(machine.board.growth?.size == 128 << 20)
        // The host has allocated nothing for it.
        #expect(machine.board.memory.residentSize < 1 << 20)
    }

    // MARK: Targets

    @Test("A target above the start is asked of the memory device, and one below it of the balloon")
    func targets() throws {
        let machine = try machine(configuration(.hotplug))
        let (growth, balloon) = (try #require(machine.board.growth), try #require(machine.board.balloon))
        for (target, plugged, ballooned) in [
            (50 << 20, 34 << 20, 0), ((50 << 20) + 4096, 36 << 20, (2 << 20) - 4096), (80 << 20, 64 << 20, 0),
            (16 << 20, 0, 0), (6 << 20, 0, 10 << 20),
        ] as [(UInt64, UInt64, UInt64)] {
            try machine.setMemoryTarget(ByteSize(bytes: target))
            #expect(growth.status == .init(requested: plugged, plugged: 0))
            #expect(balloon.status.requested == ballooned)
            #expect(machine.memoryStatistics.target == ByteSize(bytes: target))
            #expect(machine.memoryStatistics.maximum == .mebibytes(80))
            // The guest has no driver.
            #expect(machine.memoryStatistics.current == .mebibytes(16))
        }
        let error = #expect(throws: AerieError.self) { try machine.setMemoryTarget(ByteSize(bytes: (80 << 20) + 4096)) }
        #expect(error?.category == .usage)
    }

    @Test("Without a slot for a balloon, memory grows in whole blocks and does not shrink below the start")
    func withoutBalloon() throws {
        var configuration = configuration(.hotplug)
        configuration.networkCards = (0..<6).map { NetworkCard(network: .segment("growth-test-\($0)")) }
        let machine = try machine(configuration)
        #expect(machine.board.balloon == nil)
        try machine.setMemoryTarget(.mebibytes(18))
        #expect(machine.board.growth?.status.requested == 2 << 20)
        for wrong in [ByteSize.mebibytes(8), .mebibytes(19)] {
            let error = #expect(throws: AerieError.self) { try machine.setMemoryTarget(wrong) }
            #expect(error?.category == .unavailable)
        }
        #expect(machine.board.growth?.status.requested == 2 << 20)
    }

    @Test("By a balloon, the guest starts with all of the memory, and is asked at once to leave it")
    func balloon() throws {
        let configuration = configuration(nil)
        #expect(configuration.growthMethod == .balloon)
        let machine = try machine(configuration)
        #expect(machine.board.growth == nil)
        #expect(machine.board.memory.ranges.map(\.size) == [80 << 20])
        #expect(machine.board.balloon?.status.requested == 64 << 20)
        #expect(machine.memoryStatistics.target == .mebibytes(16))
        #expect(machine.memoryStatistics.current == .mebibytes(80))
        try machine.setMemoryTarget(.mebibytes(80))
        #expect(machine.board.balloon?.status.requested == 0)
        try machine.setMemoryTarget(.mebibytes(8))
        #expect(machine.board.balloon?.status.requested == 72 << 20)
    }

    // MARK: Saving

    @Test("Plugged memory is saved, restored and saved from there; a machine of another size does not take it")
    func saving() throws {
        let configuration = configuration(.hotplug)
        var machine = try machine(configuration)
        try machine.setMemoryTarget(.mebibytes(48))
        try machine.start()
        try machine.pause()
        try plug(11, machine)
        for round in 0..<3 {
            let path = firmware.path("saved\(round)")
            try machine.save(to: path)
            end(machine)
            machine = try self.machine(configuration)
            try machine.start(restoring: path)
            try machine.pause()
            try checkPlugged(11, machine)
        }
        end(machine)
        let other = try self.machine(self.configuration(.hotplug, limit: 300))
        #expect(throws: AerieError.self) { try other.start(restoring: firmware.path("saved0")) }
    }

    @Test("A machine goes on from a mapped snapshot with plugged memory, and unplugs it at a reset")
    func snapshot() throws {
        let configuration = configuration(.hotplug)
        let first = try machine(configuration)
        try first.setMemoryTarget(.mebibytes(48))
        try first.start()
        try first.pause()
        try plug(5, first)
        let state = try file("state")
        let memory = try file("memory")
        _ = try first.save(state: state.rawValue, memory: memory.rawValue)
        end(first)
        try VirtualMachine.checkSnapshot(
            state: state.rawValue, memory: .init(memory: memory.rawValue), asked: "the snapshot")
        var services = HostServices()
        services.memory = SavedMemoryFiles(memory: memory.rawValue)
        let copy = try VirtualMachine(configuration, console: RecordingConsole(), services: services, log: .silent)
        try copy.start(restoring: state.rawValue, except: [])
        try copy.pause()
        try checkPlugged(5, copy)
        try #require(copy.board.growth).unplugAll(in: copy.board.memory)
        #expect(copy.board.growth?.status.plugged == 0)
        #expect(try copy.board.memory.load(UInt64.self, at: Self.region + 4096) == 0)
        end(copy)
    }

    private func file(_ name: String) throws -> FileDescriptor {
        try FileDescriptor(path: firmware.path(name), flags: O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
    }

    @Test("Plugged memory goes along when a machine that runs is sent to another host")
    func transfer() throws {
        let configuration = configuration(.hotplug)
        let first = try machine(configuration)
        try first.setMemoryTarget(.mebibytes(48))
        try first.start()
        try first.pause()
        try plug(7, first)
        try first.resume()
        let state = try file("state")
        let stream = try file("stream")
        let memory = try file("memory")
        _ = try first.transfer(state: state.rawValue, stream: stream.rawValue, TransferOptions())
        end(first)
        lseek(stream.rawValue, 0, Int32(SEEK_SET))
        let frames = TransferStream(input: stream.rawValue, output: -1)
        let received = try TransferredMemory(file: memory.rawValue, size: configuration.memorySize)
        #expect(throws: TransferError.ended) {
            while true {
                let (frame, data) = try frames.receive()
                try received.store(frame, data)
            }
        }
        try VirtualMachine.checkTransfer(state: state.rawValue, memory: received, asked: "it")
        var services = HostServices()
        services.memory = SavedMemoryFiles(memory: memory.rawValue)
        let copy = try VirtualMachine(configuration, console: RecordingConsole(), services: services, log: .silent)
        try copy.start(restoring: state.rawValue, except: [], isCopy: false)
        try copy.pause()
        try checkPlugged(7, copy)
        end(copy)
    }
}

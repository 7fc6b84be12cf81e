import GuestMemory
import Machine
import PlatformDevices
import SavedState
import TestSupport
import Testing

@Suite struct FirmwareConfigurationTests {
    private static let base: UInt64 = 0x8000_0000
    private let memory: GuestMemory
    private let device: FirmwareConfiguration

    init() throws {
        memory = try GuestMemory(ranges: [(base: Self.base, size: 0x1_0000)])
        device = Self.make(memory)
    }

    private static func make(_ memory: GuestMemory, file: [UInt8] = Array(1...10)) -> FirmwareConfiguration {
        let items = FirmwareConfigurationItems(
            numbered: [5: [4, 0]],
            files: [(name: "opt/b", contents: file), (name: "etc/a", contents: [0xAA])])
        return FirmwareConfiguration(name: "fw-cfg", memory: memory, items: items)
    }

    private func select(_ key: UInt16) { device.write(offset: 8, size: 2, value: UInt64(key.byteSwapped)) }
    private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(device.read(offset: 0, size: 1)) } }

    /// Runs a transfer whose descriptor lies at the memory's start; returns its control word afterwards.
    private func transfer(control: UInt32, length: UInt32, address: UInt64) throws -> UInt32 {
        try memory.store(control.bigEndian, at: Self.base)
        try memory.store(length.bigEndian, at: Self.base + 4)
        try memory.store(address.bigEndian, at: Self.base + 8)
        device.write(offset: 0x10, size: 8, value: Self.base.byteSwapped)
        return UInt32(bigEndian: try memory.load(at: Self.base))
    }

    @Test func theSignatureAndTheFeaturesAreThere() {
        select(0)
        #expect(bytes(6) == Array("QEMU".utf8) + [0, 0])
        select(1)
        #expect(device.read(offset: 0, size: 4) == 3)
        select(5)
        #expect(device.read(offset: 0, size: 2) == 4)
    }

    @Test func theDirectoryListsFilesByName() {
        select(0x19)
        #expect(bytes(4) == [0, 0, 0, 2])
        #expect(bytes(8) == [0, 0, 0, 1, 0, 0x20, 0, 0])
        #expect(bytes(56) == Array("etc/a".utf8) + [UInt8](repeating: 0, count: 51))
        #expect(bytes(8) == [0, 0, 0, 10, 0, 0x21, 0, 0])
        #expect(bytes(56) == Array("opt/b".utf8) + [UInt8](repeating: 0, count: 51))
    }

    @Test func wideReadsAnswerTheNextBytesInOrder() {
        select(0x21)
        #expect(device.read(offset: 0, size: 2) == 0x0201)
        #expect(device.read(offset: 0, size: 4) == 0x0605_0403)
        #expect(device.read(offset: 0, size: 8) == 0x0A09_0807)
    }

    @Test func anUnknownKeyReadsZeros() {
        select(0xFFFF)
        #expect(device.read(offset: 0, size: 8) == 0)
    }

    @Test func theTransferRegisterShowsItsSignature() {
        #expect(device.read(offset: 0x10, size: 8).byteSwapped == 0x5145_4D55_2043_4647)
        #expect(UInt32(device.read(offset: 0x10, size: 4)).byteSwapped == 0x5145_4D55)
        #expect(UInt32(device.read(offset: 0x14, size: 4)).byteSwapped == 0x2043_4647)
    }

    @Test func aTransferSelectsReadsAndFillsUpWithZeros() throws {
        try memory.write([UInt8](repeating: 0xEE, count: 16), at: Self.base + 0x100)
        #expect(try transfer(control: 0x0021_000A, length: 12, address: Self.base + 0x100) == 0)
        #expect(try memory.bytes(at: Self.base + 0x100, count: 13) == Array(1...10) + [0, 0, 0xEE])
    }

    @Test func aTransferSkips() throws {
        #expect(try transfer(control: 0x0021_000C, length: 4, address: 0) == 0)
        #expect(try transfer(control: 0x0000_0002, length: 2, address: Self.base + 0x100) == 0)
        #expect(try memory.bytes(at: Self.base + 0x100, count: 2) == [5, 6])
        #expect(bytes(1) == [7])
    }

    @Test func theTransferAddressMayComeInHalves() throws {
        try memory.store(UInt32(0x0021_000C).bigEndian, at: Self.base)
        try memory.store(UInt32(3).bigEndian, at: Self.base + 4)
        device.write(offset: 0x10, size: 4, value: 0)
        device.write(offset: 0x14, size: 4, value: UInt64(UInt32(Self.base).byteSwapped))
        #expect(try memory.load(UInt32.self, at: Self.base) == 0)
        #expect(bytes(1) == [4])
    }

    @Test func transfersThatWriteOrLeaveTheMemoryReportAnError() throws {
        #expect(try transfer(control: 0x0021_0018, length: 1, address: Self.base + 0x100) == 1)
        for (length, address) in [(UInt32(1), UInt64(0)), (.max, Self.base), (2, Self.base + 0xFFFF), (1, .max)] {
            #expect(try transfer(control: 0x0021_000A, length: length, address: address) == 1)
        }
        #expect(bytes(1) == [1])
    }

    @Test func aDescriptorOutsideTheMemoryIsIgnored() {
        for address in [0, Self.base + 0xFFF4, .max] {
            device.write(offset: 0x10, size: 8, value: UInt64(address).byteSwapped)
        }
        #expect(bytes(1) == [0x51])
    }

    @Test func theSelectionSurvivesSaveAndRestoreOnAMachineWithTheSameItems() throws {
        select(0x21)
        #expect(bytes(3) == [1, 2, 3])
        let saved = try SavedRecordCopy.throughBytes(device.save())
        let other = Self.make(memory)
        try other.restore(saved)
        #expect(other.read(offset: 0, size: 1) == 4)
        try SavedRecordCopy.expectEveryFieldIsChecked(of: other)
        let foreign = Self.make(memory, file: [1])
        #expect(throws: SavedStateError.badField(kind: "fw-cfg", field: "itemsChecksum")) { try foreign.restore(saved) }
    }

    @Test func resetSelectsTheSignature() {
        select(0x21)
        #expect(bytes(1) == [1])
        device.reset()
        #expect(bytes(4) == Array("QEMU".utf8))
    }

    @Test func randomAccessesNeitherTrapNorChangeTheItems() throws {
        var generator = SeededGenerator(seed: 31)
        for _ in 0..<20 {
            try memory.write((0..<64).map { _ in UInt8.random(in: 0...255, using: &generator) }, at: Self.base)
            generator.attack(device, size: FirmwareConfiguration.size, hotspots: [0, 8, 0x10], accesses: 500)
            device.write(offset: 0x10, size: 8, value: Self.base.byteSwapped)
        }
        select(0x21)
        #expect(bytes(11) == Array(1...10) + [0])
    }
}

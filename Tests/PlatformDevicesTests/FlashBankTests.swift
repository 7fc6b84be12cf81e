import Machine
import PlatformDevices
import SavedState
import TestSupport
import Testing

@Suite struct FlashBankTests {
    private let flash = FlashBank(name: "flash0")
    private static let blockSize: UInt64 = 0x4_0000

    private func read(_ offset: UInt64) -> UInt64 { flash.read(offset: offset, size: 4) }
    private func write(_ offset: UInt64, _ value: UInt64) { flash.write(offset: offset, size: 4, value: value) }

    /// Programs a word and returns to reading the array.
    private func program(_ offset: UInt64, _ value: UInt64) {
        write(offset, 0x0040_0040)
        write(offset, value)
        write(0, 0x00FF_00FF)
    }

    private func erase(_ offset: UInt64) {
        write(offset, 0x0020_0020)
        write(offset, 0x00D0_00D0)
        write(0, 0x00FF_00FF)
    }

    /// How many erase blocks a saved state holds.
    private func savedBlocks() throws -> Int { try flash.save().records("blocks").count }

    @Test func anErasedBankReadsOnes() {
        #expect(read(0) == 0xFFFF_FFFF)
        #expect(flash.read(offset: FlashBank.size - 8, size: 8) == .max)
        #expect(flash.read(offset: FlashBank.size - 1, size: 1) == 0xFF)
    }

    @Test func theQueryDescribesTwoChipsOfSixteenMebibytes() {
        write(0x55 * 4, 0x0098_0098)
        func byte(_ address: UInt64) -> UInt64 { read(address * 4) & 0xFF }
        #expect((0x10...0x12).map(byte) == Array("QRY".utf8).map { UInt64($0) })
        #expect(read(0x10 * 4) == 0x0051_0051)
        #expect(flash.read(offset: 0x40, size: 2) == 0x51)
        #expect(flash.read(offset: 0x41, size: 1) == 0)
        #expect(byte(0x13) | byte(0x14) << 8 == 1)
        let table = byte(0x15) | byte(0x16) << 8
        #expect((0..<5).map { byte(table + $0) } == Array("PRI10".utf8).map { UInt64($0) })
        #expect(byte(0x27) == 24)
        #expect(byte(0x28) | byte(0x29) << 8 == 1)
        #expect(byte(0x2A) | byte(0x2B) << 8 == 9)
        #expect(byte(0x2C) == 1)
        let blocks = (byte(0x2D) | byte(0x2E) << 8) + 1
        let blockBytes = (byte(0x2F) | byte(0x30) << 8) * 256
        #expect(blocks * blockBytes == 1 << 24)
        #expect(2 * blockBytes == Self.blockSize)
        #expect(read(FlashBank.size - 4) == 0)
        write(0, 0x00FF_00FF)
        #expect(read(0x40) == 0xFFFF_FFFF)
    }

    @Test func theIdentityIsIntels() {
        write(0, 0x0090_0090)
        #expect(read(0) == 0x0089_0089)
        #expect(read(4) == 0x0018_0018)
        #expect(read(8) == 0)
    }

    @Test func programmingOnlyClearsBitsAndThenReportsReady() {
        write(0x100, 0x0040_0040)
        write(0x100, 0xF0F0_1234)
        #expect(read(0) == 0x0080_0080)
        write(0, 0x00FF_00FF)
        #expect(read(0x100) == 0xF0F0_1234)
        program(0x100, 0x0FFF_FFFF)
        #expect(read(0x100) == 0x00F0_1234)
        #expect(read(0x104) == 0xFFFF_FFFF)
    }

    @Test func programmingANarrowAccessChangesItsBytesOnly() {
        flash.write(offset: 0x102, size: 2, value: 0x0010)
        flash.write(offset: 0x102, size: 2, value: 0xABCD)
        flash.write(offset: 0, size: 1, value: 0xFF)
        #expect(read(0x100) == 0xABCD_FFFF)
    }

    @Test func erasingABlockSetsAllItsBitsAndNoOthers() throws {
        program(Self.blockSize - 4, 1)
        program(Self.blockSize, 2)
        program(2 * Self.blockSize - 4, 3)
        program(2 * Self.blockSize, 4)
        #expect(try savedBlocks() == 3)
        erase(Self.blockSize + 0x1000)
        #expect(read(Self.blockSize - 4) == 1)
        #expect(read(Self.blockSize) == 0xFFFF_FFFF)
        #expect(read(2 * Self.blockSize - 4) == 0xFFFF_FFFF)
        #expect(read(2 * Self.blockSize) == 4)
        #expect(try savedBlocks() == 2)
    }

    @Test func anEraseWithoutConfirmationIsAnErrorAndErasesNothing() {
        program(0, 0x1234_5678)
        write(0, 0x0020_0020)
        write(0, 0x00FF_00FF)
        #expect(read(0) == 0x00B0_00B0)
        write(0, 0x0050_0050)
        #expect(read(0) == 0x0080_0080)
        write(0, 0x00FF_00FF)
        #expect(read(0) == 0x1234_5678)
    }

    @Test func aBufferedProgramTakesEffectWhenItIsConfirmed() {
        write(0x200, 0x00E8_00E8)
        #expect(read(0x200) == 0x0080_0080)
        write(0x200, 0x0001_0001)
        write(0x200, 0x1111_1111)
        write(0x204, 0x2222_2222)
        write(0x200, 0x00D0_00D0)
        #expect(read(0x200) == 0x0080_0080)
        write(0, 0x00FF_00FF)
        #expect(flash.read(offset: 0x200, size: 8) == 0x2222_2222_1111_1111)
    }

    @Test func aBufferedProgramThatIsTooLongLeavesItsBlockOrIsNotConfirmedIsAnError() {
        func status(_ writes: [(UInt64, UInt64)]) -> UInt64 {
            for (offset, value) in writes { write(offset, value) }
            defer {
                write(0, 0x0050_0050)
                write(0, 0x00FF_00FF)
            }
            return read(0)
        }
        #expect(status([(0, 0xE8), (0, 0xFFFF)]) == 0x00B0_00B0)
        #expect(status([(0, 0xE8), (0, 256)]) == 0x00B0_00B0)
        #expect(status([(0, 0xE8), (0, 0), (Self.blockSize, 0)]) == 0x00B0_00B0)
        #expect(status([(0, 0xE8), (0, 0), (0, 0), (0, 0xFF)]) == 0x00B0_00B0)
        #expect(status([(0, 0xE8), (0, 0), (0, 0), (Self.blockSize, 0xD0)]) == 0x00B0_00B0)
        #expect(read(0) == 0xFFFF_FFFF)
        #expect(read(Self.blockSize) == 0xFFFF_FFFF)
    }

    @Test func blocksAreAlwaysUnlocked() {
        write(0, 0x0060_0060)
        write(0, 0x00D0_00D0)
        #expect(read(0) == 0x0080_0080)
        write(0, 0x0060_0060)
        write(0, 0x0060_0060)
        #expect(read(0) == 0x00B0_00B0)
    }

    @Test func erasedBlocksTakeNoRoomInTheState() throws {
        #expect(try savedBlocks() == 0)
        program(0, 0xFFFF_FFFF)
        #expect(try savedBlocks() == 0)
        program(5 * Self.blockSize, 0)
        #expect(try savedBlocks() == 1)
    }

    @Test func aRestoredBankGoesOnInTheMiddleOfABufferedProgram() throws {
        program(0x8000, 0xCAFE_F00D)
        write(0x200, 0xE8)
        write(0x200, 1)
        write(0x200, 0x1111_1111)
        let saved = try SavedRecordCopy.throughBytes(flash.save())
        let other = FlashBank(name: "flash0")
        other.write(offset: 0, size: 4, value: 0x40)
        other.write(offset: 0, size: 4, value: 0x0003_0201)
        try other.restore(saved)
        other.write(offset: 0x204, size: 4, value: 0x2222_2222)
        other.write(offset: 0x200, size: 4, value: 0xD0)
        other.write(offset: 0, size: 4, value: 0xFF)
        #expect(other.read(offset: 0x200, size: 8) == 0x2222_2222_1111_1111)
        #expect(other.read(offset: 0x8000, size: 4) == 0xCAFE_F00D)
        #expect(other.read(offset: 0, size: 4) == 0xFFFF_FFFF)
        try SavedRecordCopy.expectEveryFieldIsChecked(of: other)
    }

    @Test func resetReturnsToTheArrayAndKeepsTheContents() {
        program(0x100, 0x1234_5678)
        write(0, 0x0098_0098)
        flash.reset()
        #expect(read(0x100) == 0x1234_5678)
    }

    @Test func randomAccessesKeepTheBankSavable() throws {
        for seed in UInt64(21)...22 {
            let flash = FlashBank(name: "flash0")
            var generator = SeededGenerator(seed: seed)
            // Few blocks, so that the states stay small.
            generator.attack(flash, size: 4 * Self.blockSize, hotspots: [0, 0x100])
            generator.attack(flash, size: FlashBank.size, accesses: 200)
            let saved = try flash.save()
            let other = FlashBank(name: "flash0")
            try other.restore(saved)
            #expect(try other.save() == saved)
        }
    }
}

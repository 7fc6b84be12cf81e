import Machine
import PlatformDevices
import Testing

@Suite struct UART16550RegisterTests {
    private typealias UART = UART16550Fixture
    private let fixture = UART16550Fixture()

    private func read(_ register: UInt64) -> UInt64 { fixture.read(register) }
    private func write(_ register: UInt64, _ value: UInt64) { fixture.write(register, value) }

    @Test func registersAfterPowerOnAreThoseOfTheDataSheet() {
        #expect((0..<8).map { read($0) } == [0, 0, 0x01, 0, 0, 0x60, 0xB0, 0])
        #expect(!fixture.isRaised)
    }

    @Test func registersKeepOnlyTheBitsTheyHave() {
        for register in [UART.lineControl, UART.modemControl, UART.scratch] { write(register, 0xFF) }
        #expect(read(UART.lineControl) == 0xFF)
        #expect(read(UART.modemControl) == 0x1F)
        #expect(read(UART.scratch) == 0xFF)
        write(UART.lineControl, 0)
        write(UART.interruptEnable, 0xFF)
        #expect(read(UART.interruptEnable) == 0x0F)
    }

    @Test func statusRegistersCannotBeWritten() {
        write(UART.lineStatus, 0xFF)
        write(UART.modemStatus, 0xFF)
        #expect(read(UART.lineStatus) == 0x60)
        #expect(read(UART.modemStatus) == 0xB0)
    }

    @Test func theDivisorLatchHidesDataAndInterruptEnable() {
        write(UART.interruptEnable, 0x08)
        write(UART.lineControl, 0x83)
        write(0, 0x34)
        write(1, 0x12)
        #expect([read(0), read(1)] == [0x34, 0x12])
        write(UART.lineControl, 0x03)
        #expect(read(UART.interruptEnable) == 0x08)
        #expect(fixture.channel.output == [])
        write(UART.lineControl, 0x80)
        #expect([read(0), read(1)] == [0x34, 0x12])
    }

    @Test func aWrittenByteIsOnTheHostWhenTheWriteReturns() {
        write(UART.transmitter, 0x41)
        #expect(fixture.channel.writes == [[0x41]])
        #expect(read(UART.lineStatus) == 0x60)
    }

    @Test func widerAccessesReachTheRegisterAtTheirOffsetOnly() {
        fixture.uart.write(offset: 7, size: 4, value: 0xAABB_CCDD)
        #expect(fixture.uart.read(offset: 7, size: 8) == 0xDD)
        fixture.uart.write(offset: 0, size: 8, value: 0x4444_4444_4444_4442)
        #expect(fixture.channel.output == [0x42])
        #expect(fixture.uart.read(offset: 3, size: 2) == 0)
    }

    @Test func offsetsPastTheRegistersReadZeroAndIgnoreWrites() {
        fixture.uart.write(offset: 8, size: 1, value: 0x55)
        #expect(fixture.uart.read(offset: 8, size: 1) == 0)
        #expect(fixture.uart.read(offset: 0xFF, size: 1) == 0)
        #expect(fixture.channel.output == [])
    }

    @Test func bytesDoNotWaitForAGuestThatEnablesTransmitInterruptsButDoesNotAnswerThem() {
        write(UART.interruptEnable, 0x02)
        write(UART.transmitter, 0x41)
        write(UART.transmitter, 0x42)
        #expect(fixture.channel.writes == [[0x41], [0x42]])
    }

    @Test func inLoopbackTheModemOutputsAppearAsInputsWithTheirChanges() {
        // OUT2 and RTS, as Linux probes the port.
        write(UART.modemControl, 0x1A)
        #expect(read(UART.modemStatus) == 0x92)
        #expect(read(UART.modemStatus) == 0x90)
        // DTR and OUT1 instead: all four lines change, but the ring indicator only begins.
        write(UART.modemControl, 0x15)
        #expect(read(UART.modemStatus) == 0x6B)
        // Now the ring ends.
        write(UART.modemControl, 0x11)
        #expect(read(UART.modemStatus) == 0x24)
    }

    @Test func inLoopbackBytesComeBackAndDoNotReachTheHost() {
        write(UART.fifoControl, 0x01)
        write(UART.modemControl, 0x10)
        for byte in UInt64(1)...3 { write(UART.transmitter, byte) }
        #expect(fixture.drain() == [1, 2, 3])
        #expect(fixture.channel.output == [])
    }

    @Test func withoutFIFOsASecondByteReplacesTheFirstAndIsAnOverrun() {
        write(UART.modemControl, 0x10)
        write(UART.transmitter, 0x11)
        write(UART.transmitter, 0x22)
        #expect(read(UART.lineStatus) == 0x63)
        #expect(read(UART.lineStatus) == 0x61)
        #expect(read(UART.receiver) == 0x22)
        #expect(read(UART.lineStatus) == 0x60)
    }

    @Test func aFullFIFOKeepsItsBytesAndDropsTheNewOne() {
        write(UART.fifoControl, 0x01)
        write(UART.modemControl, 0x10)
        for byte in UInt64(0)..<17 { write(UART.transmitter, byte) }
        #expect(read(UART.lineStatus) == 0x63)
        #expect(fixture.drain() == Array(0..<16))
    }

    @Test func theReceiverResetBitEmptiesTheReceiverWithItsFIFOsOn() {
        write(UART.fifoControl, 0x01)
        write(UART.modemControl, 0x10)
        write(UART.transmitter, 0x11)
        write(UART.fifoControl, 0x05)
        #expect(read(UART.lineStatus) == 0x61)
        write(UART.fifoControl, 0x03)
        #expect(read(UART.lineStatus) == 0x60)
    }

    @Test func turningTheFIFOsOnOrOffEmptiesTheReceiver() {
        write(UART.modemControl, 0x10)
        for control: UInt64 in [0x01, 0x00] {
            write(UART.transmitter, 0x11)
            #expect(read(UART.lineStatus) == 0x61)
            write(UART.fifoControl, control)
            #expect(read(UART.lineStatus) == 0x60)
        }
    }

    @Test func theResetAndTriggerBitsOnlyCountWithTheEnableBit() {
        write(UART.modemControl, 0x10)
        write(UART.transmitter, 0x11)
        write(UART.fifoControl, 0xC2)
        #expect(read(UART.lineStatus) == 0x61)
        write(UART.interruptEnable, 0x01)
        #expect(read(UART.interruptIdentity) == 0x04)
    }

    @Test func readingAnEmptyReceiverAnswersZero() {
        #expect(read(UART.receiver) == 0)
        #expect(read(UART.lineStatus) == 0x60)
    }
}

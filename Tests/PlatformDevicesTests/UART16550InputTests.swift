import Machine
import PlatformDevices
import TestSupport
import Testing

@Suite struct UART16550InputTests {
    private typealias UART = UART16550Fixture
    private let fixture = UART16550Fixture()

    private func read(_ register: UInt64) -> UInt64 { fixture.read(register) }
    private func write(_ register: UInt64, _ value: UInt64) { fixture.write(register, value) }

    @Test func aDriverThatResetsTheFIFOsAsItStartsLosesNoMoreThanWhatTheReceiverShowed() {
        fixture.channel.type(Array("hello".utf8))
        // As Linux: early console output, then probe and start up the port.
        for byte: UInt64 in [0x4F, 0x4B] {
            #expect(read(UART.lineStatus) == 0x61)
            write(UART.transmitter, byte)
        }
        #expect(fixture.channel.waiting == Array("ello".utf8))
        for control: UInt64 in [0x01, 0x07, 0x00, 0x81] { write(UART.fifoControl, control) }
        write(UART.interruptEnable, 0x05)
        #expect(fixture.isRaised)
        #expect(fixture.drain() == Array("ello".utf8))
        #expect(fixture.channel.output == Array("OK".utf8))
    }

    @Test func lineStatusShowsAWaitingByteAtTheFirstReadWithoutInterrupts() {
        fixture.channel.type([0x41, 0x42])
        #expect(read(UART.lineStatus) == 0x61)
        #expect(read(UART.lineStatus) == 0x61)
        #expect(read(UART.receiver) == 0x41)
        #expect(read(UART.lineStatus) == 0x61)
        #expect(read(UART.receiver) == 0x42)
        #expect(read(UART.lineStatus) == 0x60)
        fixture.channel.type([0x43])
        #expect(read(UART.lineStatus) == 0x61)
        #expect(!fixture.isRaised)
    }

    @Test func lineStatusShowsAWaitingByteHoweverRarelyItIsRead() {
        fixture.channel.type([0x41])
        write(UART.transmitter, 0x2E)
        for register in [UART.modemStatus, UART.interruptIdentity, UART.scratch] { _ = read(register) }
        #expect(read(UART.lineStatus) == 0x61)
        write(UART.transmitter, 0x2E)
        #expect(read(UART.lineStatus) == 0x61)
        #expect(read(UART.receiver) == 0x41)
    }

    @Test func theReceiverBufferGivesAWaitingByteToADriverThatNeverReadsLineStatus() {
        fixture.channel.type([0x41, 0x42])
        #expect([read(UART.receiver), read(UART.receiver), read(UART.receiver)] == [0x41, 0x42, 0])
    }

    @Test func theDivisorLatchTakesNoInput() {
        fixture.channel.type([0x41])
        write(UART.lineControl, 0x80)
        #expect(read(UART.receiver) == 0x0C)
        #expect(fixture.channel.waiting == [0x41])
    }

    @Test func theReceiverTakesAsMuchAsItHasRoomForAndMoreWhenItIsDrained() {
        let input = (0..<100).map { UInt8($0) }
        write(UART.fifoControl, 0xC1)
        write(UART.interruptEnable, 0x01)
        fixture.channel.type(input)
        #expect(fixture.channel.waiting == Array(input[16...]))
        #expect((0..<16).map { _ in UInt8(read(UART.receiver)) } == Array(input[..<16]))
        #expect(fixture.channel.waiting == Array(input[32...]))
        #expect(fixture.drain() == Array(input[16...]))
        #expect(!fixture.isRaised)
    }

    @Test func arrivingInputRaisesTheInterruptAndReadingItLowersIt() {
        write(UART.fifoControl, 0x01)
        write(UART.interruptEnable, 0x01)
        #expect(!fixture.isRaised)
        fixture.channel.type([0x41])
        #expect(fixture.isRaised)
        #expect(read(UART.receiver) == 0x41)
        #expect(!fixture.isRaised)
    }

    @Test func inputWaitsWhileThePortIsInLoopback() {
        write(UART.fifoControl, 0x01)
        write(UART.interruptEnable, 0x01)
        write(UART.modemControl, 0x10)
        fixture.channel.type([0x41])
        #expect(read(UART.lineStatus) == 0x60)
        #expect(read(UART.receiver) == 0)
        #expect(fixture.channel.waiting == [0x41])
        write(UART.modemControl, 0x00)
        #expect(fixture.drain() == [0x41])
    }

    @Test func inputThatArrivesWhilePausedIsDeliveredAtResume() {
        write(UART.interruptEnable, 0x01)
        fixture.uart.pause()
        fixture.channel.type([0x41])
        #expect(fixture.channel.waiting == [0x41])
        #expect(!fixture.isRaised)
        fixture.uart.resume()
        #expect(fixture.isRaised)
        #expect(read(UART.receiver) == 0x41)
    }

    @Test func stopRemovesTheInputHandler() {
        #expect(fixture.channel.hasHandler)
        fixture.uart.stop()
        #expect(!fixture.channel.hasHandler)
    }

    @Test func aRestoredPortGoesOnWithItsFIFOAndItsInterrupts() throws {
        write(UART.lineControl, 0x80)
        write(0, 0x07)
        write(1, 0x01)
        write(UART.lineControl, 0x1B)
        write(UART.scratch, 0xA5)
        write(UART.fifoControl, 0xC1)
        write(UART.modemControl, 0x0B)
        write(UART.interruptEnable, 0x07)
        fixture.channel.type(Array(0..<20))
        #expect(read(UART.receiver) == 0)
        fixture.uart.pause()
        let saved = try SavedRecordCopy.throughBytes(fixture.uart.save())

        let other = UART16550Fixture()
        other.channel.type(fixture.channel.waiting)
        other.uart.pause()
        try other.uart.restore(saved)
        #expect(!other.isRaised)
        other.uart.resume()
        #expect(other.isRaised)
        #expect(other.read(UART.interruptIdentity) == 0xC4)
        #expect(other.drain() == Array(1..<20))
        #expect(other.read(UART.interruptIdentity) == 0xC2)
        #expect(other.read(UART.lineControl) == 0x1B)
        #expect(other.read(UART.modemControl) == 0x0B)
        #expect(other.read(UART.scratch) == 0xA5)
        other.write(UART.lineControl, 0x80)
        #expect([other.read(0), other.read(1)] == [0x07, 0x01])
    }

    @Test func resetRestoresThePowerOnRegistersAndKeepsInputThatWasNotShown() {
        write(UART.fifoControl, 0x01)
        write(UART.interruptEnable, 0x03)
        write(UART.scratch, 0xFF)
        fixture.uart.pause()
        fixture.channel.type([0x41])
        fixture.uart.reset()
        fixture.uart.resume()
        #expect(!fixture.isRaised)
        #expect((1..<8).map { read($0) } == [0, 0x01, 0, 0, 0x61, 0xB0, 0])
        #expect(read(UART.receiver) == 0x41)
    }

    @Test func randomAccessesKeepThePortSavable() throws {
        for seed in UInt64(1)...4 {
            let fixture = UART16550Fixture()
            var generator = SeededGenerator(seed: seed)
            for _ in 0..<20 {
                fixture.channel.type([1, 2, 3])
                generator.attack(fixture.uart, size: 0x100, hotspots: [0], accesses: 1000)
            }
            fixture.uart.pause()
            let saved = try fixture.uart.save()
            let other = UART16550Fixture()
            other.uart.pause()
            try other.uart.restore(saved)
            #expect(try other.uart.save() == saved)
            fixture.write(UART.lineControl, 0)
            #expect(fixture.read(UART.interruptEnable) & 0xF0 == 0)
            #expect(fixture.read(UART.modemControl) & 0xE0 == 0)
            #expect(fixture.read(UART.lineStatus) & 0xFC == 0x60)
        }
    }

    @Test func everyFieldOfADamagedStateIsChecked() throws {
        fixture.uart.pause()
        try SavedRecordCopy.expectEveryFieldIsChecked(of: fixture.uart)
    }
}

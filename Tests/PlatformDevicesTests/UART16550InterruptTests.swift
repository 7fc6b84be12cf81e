import Machine
import PlatformDevices
import Testing

@Suite struct UART16550InterruptTests {
    private typealias UART = UART16550Fixture
    private let fixture = UART16550Fixture()

    private func read(_ register: UInt64) -> UInt64 { fixture.read(register) }
    private func write(_ register: UInt64, _ value: UInt64) { fixture.write(register, value) }

    @Test func interruptsAreReportedByPriorityAndEachIsClearedByItsOwnAccess() {
        write(UART.fifoControl, 0x81)
        write(UART.modemControl, 0x10)
        for byte in UInt64(0)..<17 { write(UART.transmitter, byte) }
        write(UART.interruptEnable, 0x0F)
        // Line status, by reading LSR.
        #expect(read(UART.interruptIdentity) == 0xC6)
        #expect(read(UART.interruptIdentity) == 0xC6)
        _ = read(UART.lineStatus)
        // Received data, by falling below the trigger level of 8; what remains is a character timeout.
        for _ in 0..<9 {
            #expect(read(UART.interruptIdentity) == 0xC4)
            _ = read(UART.receiver)
        }
        for _ in 0..<7 {
            #expect(read(UART.interruptIdentity) == 0xCC)
            _ = read(UART.receiver)
        }
        // Transmitter empty, by reading IIR that reports it.
        #expect(fixture.isRaised)
        #expect(read(UART.interruptIdentity) == 0xC2)
        // Modem status, by reading MSR.
        #expect(read(UART.interruptIdentity) == 0xC0)
        #expect(fixture.isRaised)
        _ = read(UART.modemStatus)
        #expect(read(UART.interruptIdentity) == 0xC1)
        #expect(!fixture.isRaised)
    }

    @Test func theTriggerLevelsAreOneFourEightAndFourteen() {
        for (code, level) in [(UInt64(0), 1), (1, 4), (2, 8), (3, 14)] {
            let fixture = UART16550Fixture()
            fixture.write(UART.fifoControl, code << 6 | 0x01)
            fixture.write(UART.modemControl, 0x10)
            fixture.write(UART.interruptEnable, 0x01)
            for count in 1...16 {
                fixture.write(UART.transmitter, 0x55)
                #expect(fixture.read(UART.interruptIdentity) == (count >= level ? 0xC4 : 0xCC))
            }
        }
    }

    @Test func withoutFIFOsAReceivedByteIsReceivedData() {
        write(UART.interruptEnable, 0x01)
        fixture.channel.type([0x41, 0x42])
        #expect(read(UART.interruptIdentity) == 0x04)
        #expect(read(UART.receiver) == 0x41)
        #expect(read(UART.interruptIdentity) == 0x04)
        #expect(read(UART.receiver) == 0x42)
        #expect(read(UART.interruptIdentity) == 0x01)
    }

    @Test func enablingTheTransmitInterruptRaisesItEachTime() {
        for _ in 0..<2 {
            write(UART.interruptEnable, 0x02)
            #expect(fixture.isRaised)
            #expect(read(UART.interruptIdentity) == 0x02)
            #expect(!fixture.isRaised)
            #expect(read(UART.interruptIdentity) == 0x01)
            // Enabled again while enabled, nothing changes.
            write(UART.interruptEnable, 0x02)
            #expect(!fixture.isRaised)
            write(UART.interruptEnable, 0x00)
        }
    }

    @Test func eachByteWrittenRaisesTheTransmitInterruptAgain() {
        write(UART.interruptEnable, 0x02)
        _ = read(UART.interruptIdentity)
        write(UART.transmitter, 0x41)
        #expect(fixture.isRaised)
        #expect(read(UART.interruptIdentity) == 0x02)
    }

    @Test("Every byte is out before the driver's next access, whether or not it has answered a transmit interrupt")
    func bytesDoNotWaitForTheDriver() {
        write(UART.fifoControl, 0x01)
        write(UART.interruptEnable, 0x02)
        #expect(read(UART.interruptIdentity) == 0xC2)
        for count in 1...20 {
            write(UART.transmitter, 0x41)
            #expect(fixture.channel.output.count == count)
            #expect(fixture.isRaised)
        }
        #expect(read(UART.interruptIdentity) == 0xC2)
        #expect(read(UART.interruptIdentity) == 0xC1)
    }

    @Test("A write to the transmitter clears its interrupt until the host has taken the byte")
    func writingClearsTheTransmitInterrupt() {
        write(UART.interruptEnable, 0x02)
        #expect(fixture.isRaised)
        fixture.channel.makeRoom(0)
        write(UART.transmitter, 0x41)
        #expect(!fixture.isRaised)
        #expect(read(UART.interruptIdentity) == 0x01)
        fixture.channel.makeRoom(nil)
        #expect(fixture.isRaised)
        #expect(read(UART.interruptIdentity) == 0x02)
        #expect(read(UART.interruptIdentity) == 0x01)
    }

    @Test func readingTheIdentityOfAnotherInterruptLeavesTheTransmitInterruptPending() {
        write(UART.interruptEnable, 0x03)
        fixture.channel.type([0x41])
        #expect(read(UART.interruptIdentity) == 0x04)
        _ = read(UART.receiver)
        #expect(read(UART.interruptIdentity) == 0x02)
    }

    @Test func theLineFollowsTheInterruptEnables() {
        write(UART.modemControl, 0x10)
        #expect(!fixture.isRaised)
        write(UART.interruptEnable, 0x08)
        #expect(fixture.isRaised)
        write(UART.interruptEnable, 0x00)
        #expect(!fixture.isRaised)
    }
}

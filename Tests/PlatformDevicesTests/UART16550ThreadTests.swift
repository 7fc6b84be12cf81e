import HostSystem
import Machine
import PlatformDevices
import Testing

@Suite(.timeLimit(.minutes(10))) struct UART16550ThreadTests {
    private typealias UART = UART16550Fixture

    private static let input: [UInt8] = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    /// A thread that types `input` in pieces of many sizes.
    private func startTyping(on channel: RecordingChannel) throws -> HostThread {
        try HostThread(name: "typist") {
            var rest = Self.input[...]
            var size = 1
            while !rest.isEmpty {
                channel.type(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
                size = size % 41 + 1
            }
        }
    }

    @Test func inputTypedDuringReadsArrivesWholeAndInOrder() throws {
        for interrupts: UInt64 in [0x00, 0x01] {
            let fixture = UART16550Fixture()
            fixture.write(UART.fifoControl, 0x81)
            fixture.write(UART.interruptEnable, interrupts)
            let typist = try startTyping(on: fixture.channel)
            var received: [UInt8] = []
            while received.count < Self.input.count { received += fixture.drain() }
            typist.join()
            #expect(received == Self.input)
            #expect(!fixture.isRaised)
        }
    }

    @Test func inputTypedDuringPausesAndRestoresArrivesWholeAndInOrder() throws {
        let fixture = UART16550Fixture()
        fixture.write(UART.fifoControl, 0x81)
        fixture.write(UART.interruptEnable, 0x01)
        let typist = try startTyping(on: fixture.channel)
        var received: [UInt8] = []
        while received.count < Self.input.count {
            received += fixture.drain()
            fixture.uart.pause()
            let saved = try fixture.uart.save()
            #expect(try fixture.uart.save() == saved)
            fixture.uart.reset()
            try fixture.uart.restore(saved)
            fixture.uart.resume()
        }
        typist.join()
        #expect(received == Self.input)
    }

    @Test func bytesFromSeveralHartsAllArriveEachHartsInOrder() throws {
        let fixture = UART16550Fixture()
        // With and without the transmitter's interrupt.
        for interrupts: UInt64 in [0x00, 0x02] {
            fixture.write(UART.interruptEnable, interrupts)
            _ = fixture.read(UART.interruptIdentity)
            let before = fixture.channel.output.count
            let uart = fixture.uart
            let harts = try (UInt8(0)..<4).map { hart in
                try HostThread(name: "hart\(hart)") {
                    for count in UInt8(0)..<64 {
                        while uart.read(offset: UART16550Fixture.lineStatus, size: 1) & 0x20 == 0 {}
                        uart.write(offset: 0, size: 1, value: UInt64(hart << 6 | count))
                    }
                }
            }
            for hart in harts { hart.join() }
            _ = fixture.read(UART.lineStatus)
            let output = fixture.channel.output.dropFirst(before)
            for hart in UInt8(0)..<4 {
                #expect(output.filter { $0 >> 6 == hart } == (0..<64).map { hart << 6 | $0 })
            }
        }
    }
}

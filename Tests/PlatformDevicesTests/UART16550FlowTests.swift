import HostSystem
import Machine
import PlatformDevices
import Testing

@Suite("A UART whose host has no room", .timeLimit(.minutes(10)))
struct UART16550FlowTests {
    private typealias UART = UART16550Fixture
    private let fixture = UART16550Fixture()
    private var channel: RecordingChannel { fixture.channel }

    private func read(_ register: UInt64) -> UInt64 { fixture.read(register) }
    private func write(_ register: UInt64, _ value: UInt64) { fixture.write(register, value) }
    private var isTransmitterEmpty: Bool { read(UART.lineStatus) & 0x60 == 0x60 }

    @Test("The transmitter is busy until the host takes its byte, which goes out once")
    func busy() {
        channel.makeRoom(0)
        #expect(isTransmitterEmpty)
        write(UART.transmitter, 0x41)
        #expect(read(UART.lineStatus) & 0x60 == 0)
        #expect(channel.output == [])
        channel.makeRoom(1)
        #expect(isTransmitterEmpty)
        #expect(channel.output == [0x41])
        write(UART.transmitter, 0x42)
        #expect(!isTransmitterEmpty)
        channel.makeRoom(nil)
        #expect(isTransmitterEmpty)
        #expect(channel.output == [0x41, 0x42])
    }

    @Test("The transmitter's interrupt comes when the host has taken everything, not before")
    func interrupt() {
        write(UART.fifoControl, 0x01)
        write(UART.interruptEnable, 0x02)
        #expect(read(UART.interruptIdentity) == 0xC2)
        channel.makeRoom(3)
        for byte in UInt64(0)..<3 {
            write(UART.transmitter, byte)
            #expect(fixture.isRaised)
        }
        #expect(channel.output == [0, 1, 2])
        for byte in UInt64(3)..<8 {
            write(UART.transmitter, byte)
            #expect(!fixture.isRaised)
            #expect(read(UART.interruptIdentity) == 0xC1)
            #expect(!isTransmitterEmpty)
        }
        channel.makeRoom(2)
        #expect(!fixture.isRaised)
        #expect(!isTransmitterEmpty)
        channel.makeRoom(3)
        #expect(fixture.isRaised)
        #expect(isTransmitterEmpty)
        #expect(read(UART.interruptIdentity) == 0xC2)
        #expect(channel.output == Array(0..<8))
    }

    @Test("Enabling the interrupt of a busy transmitter raises it only when the transmitter is empty")
    func enabling() {
        channel.makeRoom(0)
        write(UART.transmitter, 0x41)
        write(UART.interruptEnable, 0x02)
        #expect(!fixture.isRaised)
        channel.makeRoom(nil)
        #expect(fixture.isRaised)
    }

    @Test(
        "A guest that heeds the line status loses nothing to a slow reader, on any number of harts", arguments: [1, 4])
    func slowReader(harts: Int) throws {
        let uart = fixture.uart
        let channel = fixture.channel
        channel.makeRoom(0)
        let threads = try (0..<harts).map { hart in
            try HostThread(name: "hart\(hart)") {
                for count in UInt8(0)..<64 {
                    while uart.read(offset: UART16550Fixture.lineStatus, size: 1) & 0x20 == 0 { yieldProcessor() }
                    uart.write(offset: 0, size: 1, value: UInt64(UInt8(hart) << 6 | count))
                }
            }
        }
        var room = 1
        while channel.output.count < harts * 64 {
            channel.makeRoom(room)
            room = room % 7 + 1
            yieldProcessor()
        }
        for thread in threads { thread.join() }
        for hart in 0..<UInt8(harts) {
            #expect(channel.output.filter { $0 >> 6 == hart } == (0..<64).map { hart << 6 | $0 })
        }
    }

    @Test("Bytes beyond the limit are lost, and no more than the limit waits")
    func limit() {
        channel.makeRoom(0)
        for _ in 0..<10_000 { write(UART.transmitter, 0x41) }
        channel.makeRoom(nil)
        #expect(channel.output.count == 4096)
    }

    @Test("What a paused device holds back goes out once: here after it resumes, or where its state is restored")
    func saving() throws {
        channel.makeRoom(1)
        for byte in UInt64(0x41)...0x43 { write(UART.transmitter, byte) }
        #expect(channel.output == [0x41])
        fixture.uart.pause()
        channel.makeRoom(nil)
        #expect(channel.output == [0x41])
        let saved = try fixture.uart.save()

        let other = UART16550Fixture()
        other.channel.makeRoom(0)
        other.uart.pause()
        try other.uart.restore(saved)
        other.uart.resume()
        #expect(other.read(UART.lineStatus) & 0x60 == 0)
        other.channel.makeRoom(nil)
        #expect(other.read(UART.lineStatus) & 0x60 == 0x60)
        #expect(other.channel.output == [0x42, 0x43])

        fixture.uart.resume()
        #expect(channel.output == [0x41, 0x42, 0x43])
    }

    @Test("A device that is stopped hands over its last bytes, unless it is paused and they may have been saved")
    func stopping() {
        channel.makeRoom(1)
        for byte in UInt64(0x41)...0x43 { write(UART.transmitter, byte) }
        channel.makeRoom(0)
        let paused = UART16550Fixture()
        paused.channel.makeRoom(0)
        paused.write(UART.transmitter, 0x41)
        paused.uart.pause()
        paused.channel.makeRoom(nil)
        paused.uart.stop()
        #expect(paused.channel.output == [])

        fixture.uart.stop()
        #expect(channel.output == [0x41])
        #expect(!channel.hasHandler)
    }

    @Test("A reset keeps the output that the host has no room for")
    func reset() {
        channel.makeRoom(0)
        write(UART.transmitter, 0x41)
        fixture.uart.pause()
        fixture.uart.reset()
        fixture.uart.resume()
        #expect(!isTransmitterEmpty)
        channel.makeRoom(nil)
        #expect(channel.output == [0x41])
    }
}

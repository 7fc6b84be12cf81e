import Machine
import PlatformDevices

/// A started UART between a channel and an interrupt sink, and the names of its registers.
struct UART16550Fixture {
    static let line = 10
    static let receiver: UInt64 = 0
    static let transmitter: UInt64 = 0
    static let interruptEnable: UInt64 = 1
    static let interruptIdentity: UInt64 = 2
    static let fifoControl: UInt64 = 2
    static let lineControl: UInt64 = 3
    static let modemControl: UInt64 = 4
    static let lineStatus: UInt64 = 5
    static let modemStatus: UInt64 = 6
    static let scratch: UInt64 = 7

    let channel = RecordingChannel()
    let sink = RecordingSink()
    let uart: UART16550

    init() {
        uart = UART16550(name: "uart0", channel: channel, line: sink.line(Self.line))
        uart.start()
    }

    var isRaised: Bool { sink.level(Self.line)! }

    func read(_ register: UInt64) -> UInt64 { uart.read(offset: register, size: 1) }
    func write(_ register: UInt64, _ value: UInt64) { uart.write(offset: register, size: 1, value: value) }

    /// Reads received bytes while LSR says that there are any.
    func drain() -> [UInt8] {
        var bytes: [UInt8] = []
        while read(Self.lineStatus) & 1 != 0 { bytes.append(UInt8(read(Self.receiver))) }
        return bytes
    }
}

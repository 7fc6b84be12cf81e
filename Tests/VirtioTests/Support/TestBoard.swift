import Glibc
import GuestMemory
import HostSystem
import Machine
import Testing
import Virtio

/// A virtio-mmio device on a small machine, and what a driver does with its registers.
final class TestBoard: DriverBoard {
    struct Line {
        var level = false
        var rises = 0
    }

    static let base: UInt64 = 0x8000_0000
    static let size: UInt64 = 4 << 20
    static let allFeatures: UInt64 = .max

    /// The end of the interrupt line, apart from the board, so that a board which nobody has goes away with its device.
    private final class Pin: InterruptSink {
        let line = Monitor(Line())

        func setInterrupt(_ number: Int, level: Bool) {
            line.update { line in
                if level && !line.level { line.rises += 1 }
                line.level = level
            }
        }
    }

    let memory: GuestMemory
    let line: Monitor<Line>
    let transport: VirtioMMIOTransport

    init(
        _ device: any VirtioDevice, memory: GuestMemory? = nil, version: VirtioMMIOVersion = .modern,
        log: Log = .silent
    ) throws {
        self.memory = try memory ?? GuestMemory(ranges: [(Self.base, Self.size)])
        let pin = Pin()
        line = pin.line
        transport = VirtioMMIOTransport(
            name: "virtio0", device: device, memory: self.memory, interrupt: InterruptLine(sink: pin, number: 1),
            version: version, loop: TestLoop.shared, log: log)
    }

    deinit { stop() }

    func read(_ offset: UInt64) -> UInt32 { UInt32(transport.read(offset: offset, size: 4)) }
    func write(_ offset: UInt64, _ value: UInt32) { transport.write(offset: offset, size: 4, value: UInt64(value)) }

    var status: UInt8 {
        get { UInt8(read(0x070)) }
        set { write(0x070, UInt32(newValue)) }
    }

    var offeredFeatures: UInt64 {
        write(0x014, 1)
        let high = UInt64(read(0x010))
        write(0x014, 0)
        return high << 32 | UInt64(read(0x010))
    }

    /// Does what a driver does up to FEATURES_OK, with those of `features` that are offered.
    func negotiate(_ features: UInt64 = allFeatures) {
        reset()
        status = 1
        status = 3
        let accepted = offeredFeatures & features | VirtioFeatures.version1
        for word in 0..<2 {
            write(0x024, UInt32(word))
            write(0x020, UInt32(truncatingIfNeeded: accepted >> (32 * UInt64(word))))
        }
        status = 0x0B
    }

    /// Tells the device of a queue.
    func setUp(_ index: Int, _ layout: VirtQueueLayout, ready: Bool = true) {
        write(0x030, UInt32(index))
        write(0x038, UInt32(layout.size))
        for (register, address) in [
            (UInt64(0x080), layout.descriptors), (0x090, layout.available), (0x0A0, layout.used),
        ] {
            write(register, UInt32(truncatingIfNeeded: address))
            write(register + 4, UInt32(address >> 32))
        }
        if ready { write(0x044, 1) }
    }

    func notify(_ index: Int = 0) { write(0x050, UInt32(index)) }

    func resetQueue(_ index: Int) {
        write(0x030, UInt32(index))
        write(0x0C0, 1)
    }

    func isQueueResetting(_ index: Int) -> Bool {
        write(0x030, UInt32(index))
        return read(0x0C0) == 1
    }

    func start() throws { try transport.start() }

    func stop() {
        transport.pause()
        transport.stop()
    }

    func pause() { transport.pause() }
    func resume() { transport.resume() }

    func acknowledgeInterrupts() { write(0x064, read(0x060)) }
}

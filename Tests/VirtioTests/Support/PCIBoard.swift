import Glibc
import GuestMemory
import HostSystem
import Machine
import Virtio

/// A virtio device on a PCI bus, behind its registers: those of base address register 0.
final class PCIBoard: DriverBoard {
    let memory: GuestMemory
    let transport: VirtioPCITransport

    init(_ device: any VirtioDevice, memory: GuestMemory? = nil, log: Log = .silent) throws {
        self.memory = try memory ?? GuestMemory(ranges: [(TestBoard.base, TestBoard.size)])
        transport = VirtioPCITransport(
            name: "virtio0", device: device, memory: self.memory, messages: nil, loop: TestLoop.shared, log: log)
    }

    deinit { stop() }

    func start() throws { try transport.start() }
    func pause() { transport.pause() }
    func resume() { transport.resume() }

    func stop() {
        transport.pause()
        transport.stop()
    }

    private func read(_ offset: UInt64, _ size: Int) -> UInt64 { transport.read(bar: 0, offset: offset, size: size) }

    private func write(_ offset: UInt64, _ size: Int, _ value: UInt64) {
        transport.write(bar: 0, offset: offset, size: size, value: value)
    }

    var status: UInt8 {
        get { UInt8(read(0x14, 1)) }
        set { write(0x14, 1, UInt64(newValue)) }
    }

    func negotiate(_ features: UInt64) {
        reset()
        status = 1
        status = 3
        for word in 0..<2 as Range<UInt64> {
            write(0x00, 4, word)
            let offered = read(0x04, 4) << (32 * word)
            let accepted = offered & features | (word == 1 ? VirtioFeatures.version1 : 0)
            write(0x08, 4, word)
            write(0x0C, 4, accepted >> (32 * word))
        }
        status = 0x0B
    }

    func setUp(_ index: Int, _ layout: VirtQueueLayout, ready: Bool) {
        write(0x16, 2, UInt64(index))
        write(0x18, 2, UInt64(layout.size))
        for (offset, address) in [(0x20 as UInt64, layout.descriptors), (0x28, layout.available), (0x30, layout.used)] {
            write(offset, 8, address)
        }
        if ready { write(0x1C, 2, 1) }
    }

    func notify(_ index: Int) { write(0x3000 + 4 * UInt64(index), 2, UInt64(index)) }

    func resetQueue(_ index: Int) {
        write(0x16, 2, UInt64(index))
        write(0x3A, 2, 1)
    }

    func isQueueResetting(_ index: Int) -> Bool {
        write(0x16, 2, UInt64(index))
        return read(0x3A, 2) == 1
    }
}

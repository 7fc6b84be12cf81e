internal import GuestMemory
internal import Machine
internal import PCI
internal import Virtio
internal import VirtioDevices

/// The entry for configuration space and the registers behind base address registers: two virtio functions and two root ports.
///
/// An input is a sequence of accesses of 12 bytes:
///
///     0  bits 0...1 logarithm of the size | bit 2 in a window | bit 6 write | bit 7 saves and restores, or resets, first
///     1  device (bits 0...4), function (bits 5...7), or bits 16...23 of the window's offset
///     2  bits 0...15 of the offset; bits 12...15 are the bus in configuration space    4  value (64 bits)
enum PCIFuzzing {
    private static let accessSize = 12
    private static let accessLimit = 4096
    private static let windowBase: UInt64 = 0x4000_0000

    static func configuration(_ bytes: [UInt8]) {
        guard let memory = try? GuestMemory(ranges: [(0, 1 << 16)]) else { return }
        let sink = Sink()
        let functions = ["virtio0", "virtio1"].map { name in
            VirtioPCITransport(
                name: name, device: EntropyDevice(), memory: memory, messages: name == "virtio0" ? sink : nil,
                loop: VirtioFuzzing.loop)
        }
        let ports = (1...2).map { PCIRootPort(name: "port\($0)", slot: $0, messages: sink) }
        let host = PCIHost(
            name: "pci", functions: functions, ports: ports,
            lines: (0..<4).map { InterruptLine(sink: sink, number: $0) })
        let window = PCIWindow(name: "window", host: host, base: windowBase)
        let devices = functions as [any Device] + ports as [any Device] + [host]
        for device in devices { try? device.start() }
        defer {
            for device in devices {
                device.pause()
                device.stop()
            }
        }
        for start in stride(from: 0, to: bytes.count - accessSize + 1, by: accessSize).prefix(accessLimit) {
            let access = Array(bytes[start..<start + accessSize])
            if access[0] & 0x80 != 0 { saveOrReset(devices[Int(access[1]) % devices.count], access[2]) }
            perform(access, on: access[0] & 4 != 0 ? window : host)
        }
    }

    private static func saveOrReset(_ device: any Device, _ choice: UInt8) {
        device.pause()
        if choice & 1 != 0 {
            device.reset()
        } else if let saved = try? device.save() {
            precondition((try? device.restore(saved)) != nil, "\(device.name) does not take its own state back")
        }
        device.resume()
    }

    private static func perform(_ access: [UInt8], on target: any MemoryMappedDevice) {
        let size = 1 << Int(access[0] & 3)
        let low = UInt64(access[2]) | UInt64(access[3]) << 8
        var offset =
            target is PCIWindow
            ? UInt64(access[1]) << 16 | low
            : (low >> 12) << 20 | UInt64(access[1] & 31) << 15 | UInt64(access[1] >> 5) << 12 | low & 0xFFF
        offset &= ~UInt64(size - 1)
        if access[0] & 0x40 != 0 {
            let value = access[4..<12].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            target.write(offset: offset, size: size, value: size == 8 ? value : value & ((1 << UInt64(8 * size)) - 1))
        } else {
            let value = target.read(offset: offset, size: size)
            precondition(size == 8 || value >> UInt64(8 * size) == 0, "\(target.name) answers more than was asked for")
        }
    }

    private final class Sink: InterruptSink, MessageSink {
        func setInterrupt(_ number: Int, level: Bool) {}
        func send(_ message: InterruptMessage) {}
    }
}

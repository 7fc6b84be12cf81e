internal import GuestMemory
internal import Machine
internal import PlatformDevices
internal import SavedState

/// Entries for registers that a guest reaches.
///
/// An input is a sequence of accesses of 12 bytes:
///
///     0  bits 0...3 device | bits 4...5 logarithm of the size | bit 6 write | bit 7 save and restore
///     1  bits 17...24 of the offset
///     2  bits 0...15 of the offset    4  value (64 bits)
enum DeviceFuzzing {
    private static let accessSize = 12
    /// Accesses of one input, at most.
    private static let accessLimit = 4096

    static func platformDevices(_ bytes: [UInt8]) {
        let devices = makeDevices()
        for device in devices { try? device.start() }
        defer {
            for device in devices {
                device.pause()
                device.stop()
            }
        }
        for start in stride(from: 0, to: bytes.count, by: accessSize).prefix(accessLimit) {
            let access = bytes[start..<min(start + accessSize, bytes.count)]
            guard access.count == accessSize else { return }
            let device = devices[Int(access[start] & 0xF) % devices.count]
            perform(Array(access), on: device)
        }
    }

    private static func perform(_ access: [UInt8], on device: any MemoryMappedDevice) {
        if access[0] & 0x80 != 0 {
            device.pause()
            let saved = try? device.save()
            device.reset()
            if let saved {
                precondition((try? device.restore(saved)) != nil, "\(device.name) does not take its own state back")
                let again = try? device.save()
                precondition(again?.fields.count == saved.fields.count, "\(device.name) loses fields of its state")
            }
            device.resume()
        }
        let size = 1 << Int(access[0] >> 4 & 3)
        // Byte 1 reaches every part of the largest device, the flash bank of 32 MiB.
        let wanted = UInt64(access[1]) << 17 | UInt64(access[2]) | UInt64(access[3]) << 8
        let offset = wanted % (windowSize(of: device) - UInt64(size) + 1)
        if access[0] & 0x40 != 0 {
            let value = access[4..<12].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            device.write(offset: offset, size: size, value: value)
        } else {
            let value = device.read(offset: offset, size: size)
            precondition(size == 8 || value >> UInt64(8 * size) == 0, "\(device.name) answers more than was asked for")
        }
    }

    private static func windowSize(of device: any MemoryMappedDevice) -> UInt64 {
        switch device {
        case is FlashBank: FlashBank.size
        case is PLIC: PLIC.size
        case is ACLINT: ACLINT.size
        case is UART16550: UART16550.size
        default: 0x1000
        }
    }

    private static func makeDevices() -> [any MemoryMappedDevice] {
        let sink = Sink()
        let line = InterruptLine(sink: sink, number: 1)
        return [
            UART16550(name: "uart", channel: Channel(), line: line),
            PLIC(name: "plic", sources: 96, contexts: [line, line]),
            ACLINT(
                name: "aclint", timeBase: TimeBase(), harts: [ACLINT.Hart(timer: sink, softwareInterrupt: line)]),
            ACLINTSupervisor(name: "sswi", harts: [line]),
            GoldfishRTC(name: "rtc", line: line),
            FlashBank(name: "flash"),
            TestFinisher(name: "test") { _ in },
            PowerControl(name: "power") { _ in },
            CMOSClock(name: "cmos"),
            FirmwareConfiguration(
                name: "fw-cfg", memory: memory,
                items: FirmwareConfigurationItems(files: [("file", [1, 2, 3])])),
        ]
    }

    private static let memory: GuestMemory = {
        do {
            return try GuestMemory(ranges: [(0, 1 << 20)])
        } catch {
            preconditionFailure("the host has 1 MiB: \(error)")
        }
    }()

    private final class Sink: InterruptSink, TimerTarget {
        func setInterrupt(_ number: Int, level: Bool) {}
        func setMachineTimer(_ deadline: UInt64) {}
    }

    /// Always has input, and takes half of the output.
    private final class Channel: CharacterChannel {
        func read(limit: Int) -> [UInt8] { Array(repeating: 0x41, count: min(limit, 3)) }
        func write(_ bytes: [UInt8]) -> Int { (bytes.count + 1) / 2 }
        func setHandler(_ handler: (@Sendable () -> Void)?) {}
        var windowSize: (columns: UInt16, rows: UInt16)? { nil }
    }
}

internal import DiskImages
internal import GuestMemory
internal import HostNetwork
internal import HostSystem
internal import Machine
internal import Virtio
internal import VirtioDevices

/// The entry for virtqueues and the requests in them, of each device that has no entry of its own.
///
/// The first byte of an input chooses the device; it is brought up with all that it offers. Steps of 8 bytes follow:
///
///     0  bits 0...2 step | bits 3...7 queue        1  index
///     2  position (16 bits)        4  value (32 bits)
///
///     0 the descriptor with the index: address `position` in the data, and bits 24...31 times 64 KiB, which lead out of memory; length
///       bits 0...15, flags bits 16...18, next bits 19...23
///     1 the value to the data at the position      2 makes the chain at the index available
///     3 sets the available ring's index            4 the device serves its queues
///     5 the value to the register at the position  6 the host has something for the guest
///     7 saves and restores, or begins anew
enum VirtioFuzzing {
    static func requests(_ bytes: [UInt8]) {
        let network = Network()
        guard let kind = bytes.first, let driver = try? Driver(device(kind, network), network) else { return }
        defer { driver.stop() }
        driver.bringUp()
        for start in stride(from: 1, to: bytes.count - 7, by: 8).prefix(2048) {
            driver.perform(Array(bytes[start..<start + 8]))
        }
        driver.bringUp()
        precondition(!driver.needsReset, "a device is broken after its reset")
    }

    private static func device(_ kind: UInt8, _ network: Network) throws -> any VirtioDevice {
        switch kind % 6 {
        case 0:
            let file = try makeMemoryFile(name: "disk", size: 64 << 10)
            let image = try RawDiskImage(path: "/proc/self/fd/\(file.rawValue)", readOnly: false)
            return BlockDevice(image: image, io: io)
        case 1: return NetworkDevice(backend: network, address: MACAddress(value: 0x02_00_00_00_00_01), pairCount: 2)
        case 2: return BalloonDevice()
        case 3: return ConsoleDevice(channel: Channel())
        case 4: return EntropyDevice()
        default: return MemoryDevice(base: MemoryDevice.blockSize, size: MemoryDevice.blockSize)
        }
    }

    private static let io = DiskIO(loop: loop)

    static let loop: EventLoop = {
        do {
            let loop = try EventLoop(name: "fuzz")
            try loop.start()
            return loop
        } catch {
            preconditionFailure("the host has an event loop: \(error)")
        }
    }()

    /// A driver of a device on virtio-mmio, with queues of 8 entries that lie one after the other before the data.
    private final class Driver {
        private static let queueSize: UInt64 = 8
        private static let queueSpan: UInt64 = 0x400
        private static let data: UInt64 = 0x1_0000
        // With room for the block of the memory device.
        private static let size: UInt64 = 4 << 20

        private let memory: GuestMemory
        private let device: any VirtioDevice
        private let network: Network
        private let transport: VirtioMMIOTransport
        private var available: [UInt16]

        init(_ device: any VirtioDevice, _ network: Network) throws {
            memory = try GuestMemory(ranges: [(0, Self.size)])
            self.device = device
            self.network = network
            transport = VirtioMMIOTransport(
                name: "virtio0", device: device, memory: memory, interrupt: InterruptLine(sink: Sink(), number: 1),
                loop: VirtioFuzzing.loop)
            available = Array(repeating: 0, count: device.queueSizes.count)
            try transport.start()
        }

        func stop() {
            transport.pause()
            transport.stop()
        }

        private func write(_ offset: UInt64, _ value: UInt64) { transport.write(offset: offset, size: 4, value: value) }
        private var status: UInt64 { transport.read(offset: 0x70, size: 4) }
        var needsReset: Bool { status & 0x40 != 0 }

        func bringUp() {
            write(0x70, 0)
            while status != 0 {}
            available = available.map { _ in 0 }
            try? memory.clear(at: 0, count: Self.queueSpan * UInt64(available.count))
            for status: UInt64 in [1, 3] { write(0x70, status) }
            for word: UInt64 in 0...1 {
                write(0x14, word)
                write(0x24, word)
                write(0x20, transport.read(offset: 0x10, size: 4))
            }
            write(0x70, 0x0B)
            for queue in available.indices {
                write(0x30, UInt64(queue))
                write(0x38, Self.queueSize)
                for (register, offset): (UInt64, UInt64) in [(0x80, 0), (0x90, 0x200), (0xA0, 0x300)] {
                    write(register, base(queue) + offset)
                    write(register + 4, 0)
                }
                write(0x44, 1)
            }
            write(0x70, 0x0F)
        }

        private func base(_ queue: Int) -> UInt64 { UInt64(queue) * Self.queueSpan }

        /// The device looks at all of its queues, and has done so before this returns.
        private func serve() {
            transport.pause()
            transport.resume()
            VirtioFuzzing.loop.sync {}
        }

        func perform(_ step: [UInt8]) {
            let queue = Int(step[0] >> 3) % available.count
            let position = UInt64(step[2]) | UInt64(step[3]) << 8
            let value = step[4..<8].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            switch step[0] & 7 {
            case 0:
                // The last half of the 32 descriptors is a table for indirect chains, which the first half may name.
                let place = base(queue) + 16 * UInt64(step[1] % 32)
                let isTable = value >> 18 & 1 != 0
                let address = Self.data + position + UInt64(value >> 24) << 16
                try? memory.store(isTable ? base(queue) + 0x100 : address, at: place)
                try? memory.store(value & 0xFFFF, at: place + 8)
                try? memory.store(UInt16(value >> 16 & 7), at: place + 12)
                try? memory.store(UInt16(value >> 19 & 31), at: place + 14)
            case 1: try? memory.store(value, at: Self.data + position)
            case 2:
                let slot = UInt64(available[queue]) % Self.queueSize
                try? memory.store(UInt16(step[1]), at: base(queue) + 0x204 + 2 * slot)
                setAvailable(queue, available[queue] &+ 1)
            case 3: setAvailable(queue, UInt16(position))
            case 4: serve()
            case 5: write(position & 0x1FC, UInt64(value))
            case 6: offer(value)
            default: saveAndRestore(value)
            }
        }

        private func setAvailable(_ queue: Int, _ index: UInt16) {
            available[queue] = index
            try? memory.storeRelease(index, at: base(queue) + 0x202)
        }

        private func offer(_ value: UInt32) {
            switch device {
            case is NetworkDevice: network.deliver(value)
            case let device as BalloonDevice: device.request(UInt64(value))
            default: break
            }
            VirtioFuzzing.loop.sync {}
        }

        private func saveAndRestore(_ value: UInt32) {
            guard value & 1 != 0 else { return bringUp() }
            transport.pause()
            if let saved = try? transport.save() {
                precondition((try? transport.restore(saved)) != nil, "a device does not take its own state back")
            }
            transport.resume()
            VirtioFuzzing.loop.sync {}
        }
    }

    private final class Sink: InterruptSink {
        func setInterrupt(_ number: Int, level: Bool) {}
    }

    /// Always has input, and takes half of the output.
    private final class Channel: CharacterChannel {
        func read(limit: Int) -> [UInt8] { Array(repeating: 0x41, count: min(limit, 3)) }
        func write(_ bytes: [UInt8]) -> Int { (bytes.count + 1) / 2 }
        func setHandler(_ handler: (@Sendable () -> Void)?) {}
        var windowSize: (columns: UInt16, rows: UInt16)? { nil }
    }

    /// Keeps a few frames for the guest, and takes every second one from it.
    private final class Network: NetworkBackend, @unchecked Sendable {
        // @unchecked: used on the loop's thread, or before the device starts.
        let mtu: UInt16 = 1500
        let hasPartialChecksums = false
        let hasSegmentation = true
        let isLinkUp = true
        private var handler: (@Sendable (NetworkEvent) -> Void)?
        private var counts: [Int] = []
        private var sentCount = 0
        private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 8)

        init() { bytes.initializeMemory(as: UInt8.self, repeating: 0xFF) }
        deinit { bytes.deallocate() }

        func start(
            on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void
        ) throws(SystemError) { self.handler = handler }

        func activate(_ offloads: ReceiveOffloads) {}
        func stop() { handler = nil }

        func send(_ frame: OutgoingFrame) -> Bool {
            let known = Ethernet.headerSize...Ethernet.longestFrame
            precondition(known.contains(frame.bytes.count), "a card sends what is no frame")
            sentCount += 1
            return sentCount % 2 == 0
        }

        func receive() -> IncomingFrame? {
            counts.first.map {
                IncomingFrame(header: OffloadHeader(), bytes: UnsafeRawBufferPointer(rebasing: bytes[..<$0]))
            }
        }

        func consume() { counts.removeFirst() }

        /// - Parameter value: bits 0...15 the bytes; with bit 16 the network also takes frames again.
        func deliver(_ value: UInt32) {
            VirtioFuzzing.loop.sync { [self] in
                if counts.count < 8 { counts.append(max(14, Int(value & 0xFFFF))) }
                handler?(.readable())
                if value >> 16 & 1 != 0 { handler?(.writable()) }
            }
        }
    }
}

import Support

/// The board's disks and network card, from the device tree to their interrupts.
///
/// They start only if a guest of the table wants one: an image without them touches no device.
enum Devices {
    static let mostDisks = 8

    /// Finds the devices in the order of the tree, and starts them.
    static func start() {
        guard hypervisor.pointee.table?.hasDevices == true else { return }
        guard let chunk = hypervisor.pointee.memory.allocate(ChunkAllocator.hypervisor) else {
            return say("hypervisor: no memory is free for the board's disks and networks; they are not used\n")
        }
        var memory = DeviceMemory(chunk)
        for index in 0..<hypervisor.pointee.board.virtioCount {
            guard let transport = VirtioTransport(hypervisor.pointee.board.virtio[index]) else { continue }
            let isStarted: Bool
            switch transport.deviceID {
            case 1 where !hypervisor.pointee.card.pointee.isPresent:
                isStarted = hypervisor.pointee.card.start(transport, &memory)
            case 2 where hypervisor.pointee.diskCount < mostDisks:
                isStarted = (hypervisor.pointee.disks + hypervisor.pointee.diskCount).start(transport, &memory)
                // A disk that fails keeps its number, so that the others keep theirs.
                hypervisor.pointee.diskCount += 1
            default: continue
            }
            guard !isStarted else { continue }
            say("hypervisor: the virtio device at ")
            say(hexadecimal: transport.base)
            say(" is not usable: it has no queues, sectors or interrupt, or refuses the driver's features\n")
        }
        introduce()
    }

    private static func introduce() {
        for index in 0..<hypervisor.pointee.diskCount {
            say("hypervisor: disk ")
            say(UInt64(index))
            say(": sectors ")
            say(hypervisor.pointee.disks[index].sectors)
            say(hypervisor.pointee.disks[index].isReadOnly ? ", read-only\n" : "\n")
        }
        guard hypervisor.pointee.table?.hasNetworks == true else { return }
        if hypervisor.pointee.card.pointee.isPresent {
            say("hypervisor: network card: ")
            say(address: hypervisor.pointee.card.pointee.address)
            say("\n")
        } else {
            say("hypervisor: the board has no network card; guests reach each other only\n")
        }
    }

    /// The hart that a device interrupts. A partition owns its devices with its harts: the first hart of the first guest that
    /// has the device. Else the boot hart.
    static func hart(for isUser: (GuestEntry) -> Bool) -> Hart {
        guard hypervisor.pointee.isPartitioned, let table = hypervisor.pointee.table else {
            return hypervisor.pointee.harts
        }
        for index in 0..<table.count where isUser(table.entry(index)) {
            let hart = table.entry(index).harts.trailingZeroBitCount
            if hart < hypervisor.pointee.board.hartCount { return hypervisor.pointee.harts + hart }
        }
        return hypervisor.pointee.harts
    }

    static func handleInterrupt(_ source: UInt32) {
        for index in 0..<hypervisor.pointee.diskCount where hypervisor.pointee.disks[index].interrupt == source {
            (hypervisor.pointee.disks + index).complete()
        }
        let card = hypervisor.pointee.card
        if card.pointee.isPresent, card.pointee.interrupt == source { card.handleInterrupt() }
    }
}

/// The chunk that the drivers' queues and buffers lie in, taken from the front.
struct DeviceMemory {
    private var place: UInt64
    private let end: UInt64

    init(_ chunk: UInt64) {
        let bytes: UnsafeMutablePointer<UInt8> = pointer(chunk)
        UnsafeMutableRawPointer(bytes).initializeMemory(
            as: UInt8.self, repeating: 0, count: Int(ChunkAllocator.chunkSize))
        place = chunk
        end = chunk + ChunkAllocator.chunkSize
    }

    /// Zeroed pages.
    mutating func take(_ size: UInt64) -> UInt64 {
        let start = place
        place += (size + 4095) & ~4095
        guard place <= end else { fatal("the drivers' memory", "more than 2 MiB is needed") }
        return start
    }
}

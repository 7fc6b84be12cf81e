import Support

/// A guest's network card: a port of the hypervisor's switch, as virtio-net (VIRTIO 1.2, section 5.1). Queue 0 receives, 1 transmits.
struct VirtualNetwork {
    static let address: UInt64 = 0x1000_2000
    static let interrupt = 2
    /// struct virtio_net_hdr, whose last field is the number of buffers (section 5.1.6).
    static let headerSize: UInt64 = 12
    /// VIRTIO_NET_F_MAC and STATUS.
    private static let features: UInt64 = 1 << 5 | 1 << 16

    struct Counters {
        var sent: UInt64 = 0
        var received: UInt64 = 0
        /// Frames for this guest that found no buffer.
        var missed: UInt64 = 0
        /// Frames of the guest with another source than its own address, or of a length that is none.
        var refused: UInt64 = 0
    }

    var registers = VirtioRegisters(deviceID: 1, queueCount: 2, offered: Self.features)
    /// Whether the guest has a card, and the address of the card: byte 0 in bits 40 to 47.
    let isPresent: Bool
    let hardwareAddress: UInt64
    var counters = Counters()

    init(address: UInt64? = nil) {
        isPresent = address != nil
        hardwareAddress = address ?? 0
    }

    /// A byte of the configuration space (section 5.1.4): the address, then the state of the link, which is up.
    func configuration(_ offset: UInt64) -> UInt8 {
        switch offset {
        case 0..<6: UInt8(truncatingIfNeeded: hardwareAddress >> (40 - 8 * offset))
        case 6: 1
        default: 0
        }
    }

    /// The address of guest `index`: locally administered. It is made of the guest's name and the address of the board's card, so that it
    /// stays the same at each start, and differs from that of the same table on another machine.
    static func address(of index: Int) -> UInt64 {
        // FNV-1a. The index keeps two guests apart whose hashes are equal.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        let card = hypervisor.pointee.card.pointee.address
        for byte in 0..<6 { hash = (hash ^ card >> UInt64(8 * byte) & 0xff) &* 0x100_0000_01b3 }
        let name = hypervisor.pointee.guests[index].name
        var place = 0
        while place < 32, name[place] != 0 {
            hash = (hash ^ UInt64(name[place])) &* 0x100_0000_01b3
            place += 1
        }
        return 0x02 << 40 | (hash ^ hash >> 32) & 0xffff_ffff << 8 | UInt64(index)
    }
}

extension UnsafeMutablePointer where Pointee == Guest {
    /// Frames of one notification; the rest is postponed.
    private static var mostFrames: Int { 16 }

    /// Sends what the guest has made available. Each frame is copied first: the guest cannot change it after its check.
    func transmit() {
        let chain = hypervisor.pointee.chain
        let frame = hypervisor.pointee.staging
        let start = hv_time()
        defer { hypervisor.pointee.scheduler.chargeWork(of: pointee.index, since: start) }
        var count = 0
        while pointee.state == .running, pointee.network.registers.isLive {
            guard count < Self.mostFrames else {
                if pointee.network.registers.queues[1].hasMore(pointee.tables) {
                    PostponedWork.transmission(pointee.index).postpone(since: start)
                }
                break
            }
            let finding = pointee.network.registers.queues[1].peek(pointee.tables, chain)
            if finding == .empty { break }
            guard finding == .chain else {
                pointee.network.registers.fail()
                break
            }
            count += 1
            let most = VirtualNetwork.headerSize + Switch.mostBytes
            let size = chain.pointee.readBytes > most ? 0 : chain.gather(from: 0, to: frame, most)
            pointee.network.registers.queues[1].advance()
            pointee.network.registers.give(1, chain.pointee.head, 0, pointee.tables)
            // The switch uses `hypervisor.chain` for the receivers.
            if size >= VirtualNetwork.headerSize + Switch.leastBytes,
                Switch.source(frame + VirtualNetwork.headerSize) == pointee.network.hardwareAddress
            {
                pointee.network.counters.sent += 1
                Switch.forward(frame + VirtualNetwork.headerSize, size - VirtualNetwork.headerSize, from: pointee.index)
            } else {
                pointee.network.counters.refused += 1
            }
        }
        pointee.updateInterrupts()
    }

    /// Gives the guest a frame. The bytes before it are the switch's: the header goes there.
    func receive(_ frame: UInt64, _ size: UInt64) {
        guard pointee.state == .running || pointee.state == .paused, pointee.network.registers.isLive else { return }
        let chain = hypervisor.pointee.chain
        let all = size + VirtualNetwork.headerSize
        let finding = pointee.network.registers.queues[0].peek(pointee.tables, chain)
        guard finding != .broken else {
            pointee.network.registers.fail()
            return pointee.updateInterrupts()
        }
        guard finding == .chain, chain.pointee.writeBytes >= all else {
            pointee.network.counters.missed += 1
            return
        }
        let header = frame - VirtualNetwork.headerSize
        for byte in 0..<VirtualNetwork.headerSize { hv_store8(header + byte, byte == 10 ? 1 : 0) }
        chain.scatter(from: header, all)
        pointee.network.registers.queues[0].advance()
        pointee.network.registers.give(0, chain.pointee.head, UInt32(all), pointee.tables)
        pointee.network.counters.received += 1
        pointee.updateInterrupts()
    }
}

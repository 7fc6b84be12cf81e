internal import DiskImages
internal import GuestMemory
internal import HostSystem
internal import Virtio

/// Answers the requests of a disk's queue.
///
///     readable:  u32 type, u32 reserved, u64 sector, data to write
///     writable:  room for data to read, u8 status
struct BlockRequestServer: Sendable {
    enum Status: UInt8 {
        case ok = 0
        case ioError = 1
        case unsupported = 2
    }

    private static let headerSize = 16
    /// The most bytes between two looks at whether the driver has reset the device.
    private static let stepSize = 1 << 20
    /// The same where the host usually needs to move no data.
    private static let spaceStepSize: UInt64 = 64 << 20

    let image: any DiskImage
    let serial: [UInt8]
    let cache: CacheMode

    func serve(_ queue: VirtQueue, _ turn: QueueWorker.Turn) throws(VirtQueueError) {
        repeat {
            try queue.disableNotifications()
            while !turn.mustYield, let chain = try queue.pop() {
                try answer(chain, queue, turn)
            }
            if turn.mustYield { return }
        } while try queue.enableNotifications()
    }

    private func answer(
        _ chain: DescriptorChain, _ queue: VirtQueue, _ turn: QueueWorker.Turn
    ) throws(VirtQueueError) {
        let memory = turn.session.memory
        guard chain.readable.count >= Self.headerSize else {
            throw .badRequest("a disk request has \(chain.readable.count) readable bytes, less than its header")
        }
        guard chain.writable.count >= 1 else { throw .badRequest("a disk request has no room for its status") }
        let room = chain.writable.count - 1
        let header = chain.readable.bytes(count: Self.headerSize, in: memory)
        let type = UInt32(littleEndianBytes: header[0..<4])
        let sector = UInt64(littleEndianBytes: header[8..<16])

        var done = 0
        let status: Status
        do {
            status = try perform(type, sector, chain, turn, &done)
        } catch {
            // Whatever the host's reason, the driver knows one kind of failure.
            status = .ioError
        }
        // A driver that has reset the device has forgotten the request.
        if turn.mustAbandon { return }
        chain.writable.write([status.rawValue], from: room, in: memory)
        try queue.complete(chain, written: done == room ? room + 1 : done)
        if try queue.shouldSignal() { turn.session.signals.signalQueue(queue.index) }
    }

    /// - Parameter done: counts the bytes of data written to the guest.
    private func perform(
        _ type: UInt32, _ sector: UInt64, _ chain: DescriptorChain, _ turn: QueueWorker.Turn, _ done: inout Int
    ) throws(DiskImageError) -> Status {
        switch type {
        case 0:  // IN
            let room = chain.writable.count - 1
            return try transfer(chain.writable, from: 0, count: room, sector, turn, &done) {
                (offset, buffers) throws(DiskImageError) in try image.read(at: offset, into: buffers)
            }
        case 1:  // OUT
            var written = 0
            let count = chain.readable.count - Self.headerSize
            if image.isReadOnly { return .ioError }
            let status = try transfer(chain.readable, from: Self.headerSize, count: count, sector, turn, &written) {
                (offset, buffers) throws(DiskImageError) in try image.write(at: offset, from: buffers)
            }
            if status == .ok, !cache.isWriteBack { try image.flush() }
            return status
        case 4:  // FLUSH
            try image.flush()
            return .ok
        case 8:  // GET_ID
            let identifier = serial + Array(repeating: 0, count: 20 - serial.count)
            let room = min(chain.writable.count - 1, identifier.count)
            done = chain.writable.write(Array(identifier[..<room]), in: turn.session.memory)
            return .ok
        case 11:  // DISCARD
            return try changeSpace(chain, turn, isDiscard: true)
        case 13:  // WRITE_ZEROES
            return try changeSpace(chain, turn, isDiscard: false)
        default:
            return .unsupported
        }
    }

    /// Moves data between guest memory and image in bounded steps.
    private func transfer(
        _ buffers: GuestBuffers, from start: Int, count: Int, _ sector: UInt64, _ turn: QueueWorker.Turn,
        _ done: inout Int, _ move: (UInt64, IOBuffers) throws(DiskImageError) -> Void
    ) throws(DiskImageError) -> Status {
        guard UInt64(count) % sectorSize == 0, let offset = offset(of: sector, count: UInt64(count)) else {
            return .ioError
        }
        var host = IOBuffers()
        buffers.forEach(from: start, count: count, in: turn.session.memory) { host.append($0) }
        while done < count, !turn.mustAbandon {
            let step = min(count - done, Self.stepSize)
            try move(offset + UInt64(done), host.slice(from: done, count: step))
            done += step
        }
        return .ok
    }

    /// The byte at which `sector` starts; nil unless `count` bytes from there are on the disk.
    private func offset(of sector: UInt64, count: UInt64) -> UInt64? {
        let sectors = image.size / sectorSize
        guard sector <= sectors, count <= (sectors - sector) * sectorSize else { return nil }
        return sector * sectorSize
    }

    /// DISCARD and WRITE_ZEROES: up to `mostDiscardSegments` times u64 sector, u32 sectors, u32 flags (1 unmap).
    private func changeSpace(
        _ chain: DescriptorChain, _ turn: QueueWorker.Turn, isDiscard: Bool
    ) throws(DiskImageError) -> Status {
        let count = chain.readable.count - Self.headerSize
        guard !image.isReadOnly, count > 0, count % 16 == 0,
            count <= Int(BlockConfiguration.mostDiscardSegments) * 16
        else { return .ioError }
        let bytes = chain.readable.bytes(from: Self.headerSize, count: count, in: turn.session.memory)
        var ranges: [(offset: UInt64, count: UInt64, mayUnmap: Bool)] = []
        for start in stride(from: 0, to: count, by: 16) {
            let sector = UInt64(littleEndianBytes: bytes[start..<start + 8])
            let sectors = UInt32(littleEndianBytes: bytes[start + 8..<start + 12])
            let flags = UInt32(littleEndianBytes: bytes[start + 12..<start + 16])
            guard flags & ~(isDiscard ? 0 : 1) == 0 else { return .unsupported }
            let length = UInt64(sectors) * sectorSize
            guard sectors <= BlockConfiguration.mostDiscardSectors, let offset = offset(of: sector, count: length)
            else {
                return .ioError
            }
            ranges.append((offset, length, flags & 1 == 1))
        }
        for range in ranges {
            var done: UInt64 = 0
            while done < range.count, !turn.mustAbandon {
                let step = min(range.count - done, Self.spaceStepSize)
                if isDiscard {
                    try image.discard(at: range.offset + done, count: step)
                } else {
                    try image.writeZeroes(at: range.offset + done, count: step, mayUnmap: range.mayUnmap)
                }
                done += step
            }
        }
        if !cache.isWriteBack, !isDiscard { try image.flush() }
        return .ok
    }
}

extension FixedWidthInteger {
    /// The integer in little-endian order in `bytes`, of which there are as many as it has.
    init(littleEndianBytes bytes: ArraySlice<UInt8>) {
        self = 0
        for (position, byte) in bytes.enumerated() { self |= Self(truncatingIfNeeded: byte) << Self(8 * position) }
    }
}

internal import DiskImages
internal import GuestMemory
internal import Virtio

/// A driver's request, as it lies in the queue:
///
///     readable:  u32 type, u32 reserved, u64 sector, data to write
///     writable:  room for data to read, u8 status
struct BlockRequest {
    enum Status: UInt8 {
        case ok = 0
        case ioError = 1
        case unsupported = 2
    }

    /// What a request demands.
    enum Demand {
        /// Nothing of the host: the device answers by itself.
        case answer(Status, data: [UInt8] = [])
        /// These requests to the image, in their order.
        case host([DiskRequest])
    }

    private enum Kind {
        static let input: UInt32 = 0
        static let output: UInt32 = 1
        static let flush: UInt32 = 4
        static let identifier: UInt32 = 8
        static let discard: UInt32 = 11
        static let writeZeroes: UInt32 = 13
    }

    private static let headerSize = 16
    private static let identifierSize = 20

    let chain: DescriptorChain
    /// Bytes of room for data, before the status.
    let room: Int
    private let type: UInt32
    private let sector: UInt64

    init(_ chain: DescriptorChain, in memory: GuestMemory) throws(VirtQueueError) {
        guard chain.readable.count >= Self.headerSize else {
            throw .badRequest("a disk request has \(chain.readable.count) readable bytes, less than its header")
        }
        guard chain.writable.count >= 1 else { throw .badRequest("a disk request has no room for its status") }
        self.chain = chain
        room = chain.writable.count - 1
        let header = chain.readable.bytes(count: Self.headerSize, in: memory)
        type = UInt32(littleEndianBytes: header[0..<4])
        sector = UInt64(littleEndianBytes: header[8..<16])
    }

    /// Whether the host writes to the guest's memory.
    var isRead: Bool { type == Kind.input }

    /// - Parameter isWriteBack: false adds a flush to what writes.
    func demand(on image: any DiskImage, serial: [UInt8], isWriteBack: Bool, memory: GuestMemory) -> Demand {
        switch type {
        case Kind.input:
            guard let offset = offset(of: sector, count: UInt64(room), on: image) else { return .answer(.ioError) }
            return .host([.read(at: offset, into: host(chain.writable, from: 0, count: room, memory))])
        case Kind.output:
            let count = chain.readable.count - Self.headerSize
            guard !image.isReadOnly, let offset = offset(of: sector, count: UInt64(count), on: image) else {
                return .answer(.ioError)
            }
            let buffers = host(chain.readable, from: Self.headerSize, count: count, memory)
            return .host([.write(at: offset, from: buffers)] + (isWriteBack ? [] : [.flush]))
        case Kind.flush: return .host([.flush])
        case Kind.identifier:
            let identifier = serial + Array(repeating: 0, count: Self.identifierSize - serial.count)
            return .answer(.ok, data: Array(identifier.prefix(room)))
        case Kind.discard: return spaceDemand(on: image, isDiscard: true, isWriteBack: isWriteBack, memory: memory)
        case Kind.writeZeroes:
            return spaceDemand(on: image, isDiscard: false, isWriteBack: isWriteBack, memory: memory)
        default: return .answer(.unsupported)
        }
    }

    private func host(_ buffers: GuestBuffers, from start: Int, count: Int, _ memory: GuestMemory) -> IOBuffers {
        var result = IOBuffers()
        buffers.forEach(from: start, count: count, in: memory) { result.append($0) }
        return result
    }

    /// The byte at which `sector` starts; nil unless `count` bytes from there are whole sectors on the disk.
    private func offset(of sector: UInt64, count: UInt64, on image: any DiskImage) -> UInt64? {
        let sectors = image.size / sectorSize
        guard count % sectorSize == 0, sector <= sectors, count <= (sectors - sector) * sectorSize else { return nil }
        return sector * sectorSize
    }

    /// DISCARD and WRITE_ZEROES: up to `mostDiscardSegments` times u64 sector, u32 sectors, u32 flags (1 unmap).
    private func spaceDemand(
        on image: any DiskImage, isDiscard: Bool, isWriteBack: Bool, memory: GuestMemory
    ) -> Demand {
        let count = chain.readable.count - Self.headerSize
        guard !image.isReadOnly, count > 0, count % 16 == 0,
            count <= Int(BlockConfiguration.mostDiscardSegments) * 16
        else { return .answer(.ioError) }
        let bytes = chain.readable.bytes(from: Self.headerSize, count: count, in: memory)
        var requests: [DiskRequest] = []
        for start in stride(from: 0, to: count, by: 16) {
            let sector = UInt64(littleEndianBytes: bytes[start..<start + 8])
            let sectors = UInt32(littleEndianBytes: bytes[start + 8..<start + 12])
            let flags = UInt32(littleEndianBytes: bytes[start + 12..<start + 16])
            guard flags & ~(isDiscard ? 0 : 1) == 0 else { return .answer(.unsupported) }
            let length = UInt64(sectors) * sectorSize
            guard sectors <= BlockConfiguration.mostDiscardSectors,
                let offset = offset(of: sector, count: length, on: image)
            else { return .answer(.ioError) }
            requests.append(
                isDiscard
                    ? .discard(at: offset, count: length)
                    : .writeZeroes(at: offset, count: length, mayUnmap: flags & 1 == 1))
        }
        return .host(requests + (isWriteBack || isDiscard ? [] : [.flush]))
    }
}

extension FixedWidthInteger {
    /// The integer in little-endian order in `bytes`, of which there are as many as it has.
    init(littleEndianBytes bytes: ArraySlice<UInt8>) {
        self = 0
        for (position, byte) in bytes.enumerated() { self |= Self(truncatingIfNeeded: byte) << Self(8 * position) }
    }
}

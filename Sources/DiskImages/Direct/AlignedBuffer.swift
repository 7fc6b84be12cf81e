/// Memory at a multiple of a block's size, for whole blocks of a disk.
final class AlignedBuffer: @unchecked Sendable {
    // @unchecked: the memory belongs to this object until its end. A request's steps use it one after the other.

    let bytes: UnsafeMutableRawBufferPointer
    /// Of the disk.
    let offset: UInt64

    /// - Parameter count: bytes, a multiple of a block.
    init(count: Int, at offset: UInt64 = 0) {
        bytes = .allocate(byteCount: count, alignment: Int(DirectDiskImage.block))
        self.offset = offset
    }

    /// Memory for the blocks that a request touches. The device bounds a request's size.
    convenience init(covering request: DiskRequest) {
        let block = DirectDiskImage.block
        let start = request.offset / block * block
        let end = (request.offset + request.count + block - 1) / block * block
        self.init(count: Int(end - start), at: start)
    }

    deinit { bytes.deallocate() }

    var buffers: IOBuffers { IOBuffers(bytes) }

    /// The bytes of the request.
    func part(of request: DiskRequest) -> UnsafeMutableRawBufferPointer {
        let start = Int(request.offset - offset)
        return UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + Int(request.count)])
    }
}

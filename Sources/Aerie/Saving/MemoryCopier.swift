internal import Glibc
internal import GuestMemory
internal import HostSystem

/// Where a copy of guest memory goes.
protocol MemorySink: AnyObject {
    /// Takes over the bytes of one block (`MemoryImage.blockSize`; the last one may be shorter), which replace earlier ones. What no call
    /// mentions is zero.
    ///
    /// - Parameter isZero: all bytes are zero.
    func store(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, isZero: Bool) throws(SystemError)
}

/// An image of the memory (`MemoryImage`) in a file of its own.
final class MemoryImageFile: MemorySink {
    private let file: FileDescriptor

    /// - Parameter file: empty.
    init(_ file: consuming FileDescriptor, size: UInt64) throws(SystemError) {
        self.file = file
        try self.file.truncate(to: size)
    }

    func store(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, isZero: Bool) throws(SystemError) {
        try file.writeAll(at: offset, bytes)
    }
}

/// Copies guest memory, and keeps the checksum of each block. The guest may run: what it writes meanwhile is copied again.
final class MemoryCopier {
    /// Times that the memory of a running guest is copied, the first one included.
    private static let mostRounds = 24

    private let memory: GuestMemory
    private let sink: any MemorySink
    private var checksums: MemoryChecksums
    /// The blocks that the sink has, and that are not zero there.
    private var isStored: [Bool]
    /// The block as it is copied: the guest's may change between its checksum and its writing.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: MemoryImage.blockSize, alignment: 4096)

    init(_ memory: GuestMemory, to sink: any MemorySink) {
        self.memory = memory
        self.sink = sink
        checksums = MemoryChecksums(size: memory.size)
        isStored = [Bool](repeating: false, count: checksums.count)
    }

    deinit { buffer.deallocate() }

    /// The checksum of each block, little endian.
    var encodedChecksums: [UInt8] { checksums.encoded }

    /// Copies all of the memory.
    func copyAll() throws(SystemError) {
        var position: UInt64 = 0
        while position < memory.size, let range = try memory.nextData(from: position) {
            // The end of a range may be within a block, which the next range must not copy again.
            position = try copy(max(range.lowerBound, position)..<range.upperBound)
        }
    }

    /// Copies the memory of a guest that runs until so little is left that it may stand still for that. What it has written since stays in
    /// the log.
    ///
    /// - Parameters:
    ///   - enough: bytes that may be left.
    ///   - slowDown: called when the guest writes as fast as its memory is copied; false when the guest cannot get slower.
    /// - Returns: whether little enough is left.
    func copyRunning(_ log: WriteLog, until enough: Int, slowDown: () -> Bool) throws(SystemError) -> Bool {
        try copyAll()
        var before = Int.max
        for _ in 1..<Self.mostRounds {
            let written = try log.take()
            let count = try copy(written) * MemoryImage.blockSize
            if count <= enough { return true }
            guard count < before / 4 * 3 || slowDown() else { return false }
            before = count
        }
        return false
    }

    /// All parts of the memory that may have other contents than zeroes.
    func data() throws(SystemError) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        var position: UInt64 = 0
        while position < memory.size, let range = try memory.nextData(from: position) {
            ranges.append(range)
            position = range.upperBound
        }
        return ranges
    }

    /// Copies the blocks that ranges are in.
    ///
    /// - Parameter ranges: ascending, without overlap.
    /// - Returns: the number of blocks.
    @discardableResult
    func copy(_ ranges: [Range<UInt64>]) throws(SystemError) -> Int {
        var position: UInt64 = 0
        var count = 0
        for range in ranges where range.upperBound > position {
            let start = max(range.lowerBound, position)
            position = try copy(start..<range.upperBound)
            count += Int(position - start + UInt64(MemoryImage.blockSize) - 1) / MemoryImage.blockSize
        }
        return count
    }

    /// - Returns: the end of the last block.
    private func copy(_ range: Range<UInt64>) throws(SystemError) -> UInt64 {
        let size = UInt64(MemoryImage.blockSize)
        let end = min((range.upperBound + size - 1) / size, UInt64(checksums.count))
        for block in range.lowerBound / size..<max(end, range.lowerBound / size) { try copy(block: Int(block)) }
        return end * size
    }

    private func copy(block: Int) throws(SystemError) {
        let start = block * MemoryImage.blockSize
        let count = min(MemoryImage.blockSize, Int(memory.size) - start)
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        bytes.copyMemory(from: UnsafeRawBufferPointer(start: memory.hostBase + start, count: count))
        let isZero = UnsafeRawBufferPointer(bytes).isZero
        if isZero, !isStored[block] { return }
        isStored[block] = !isZero
        checksums.note(UnsafeRawBufferPointer(bytes), block: block)
        try sink.store(UnsafeRawBufferPointer(bytes), at: UInt64(start), isZero: isZero)
    }
}

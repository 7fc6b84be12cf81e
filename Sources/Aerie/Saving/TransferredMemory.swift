internal import HostSystem

/// The memory of a machine as it comes over a transfer's stream: an image of it (`MemoryImage`) in a file.
package final class TransferredMemory {
    package let size: UInt64
    private let file: FileDescriptor
    private var checksums: MemoryChecksums
    private let zeroes = [UInt8](repeating: 0, count: MemoryImage.blockSize)

    /// - Parameters:
    ///   - file: a descriptor of an empty file, which stays the caller's.
    ///   - size: bytes of the memory.
    package init(file: Int32, size: UInt64) throws(TransferError) {
        self.size = size
        checksums = MemoryChecksums(size: size)
        do throws(SystemError) {
            self.file = try FileDescriptor(duplicating: file)
            try self.file.truncate(to: size)
        } catch { throw .system(error.description) }
    }

    /// The checksums of all blocks.
    var encodedChecksums: [UInt8] { checksums.encoded }

    /// Takes over a frame of the memory: one block.
    package func store(_ frame: TransferFrame, _ data: UnsafeRawBufferPointer) throws(TransferError) {
        let blockSize = UInt64(MemoryImage.blockSize)
        guard frame.offset % blockSize == 0, frame.offset < size, frame.count == min(blockSize, size - frame.offset)
        else { throw .damaged("a frame of the memory is not one of its blocks") }
        do throws(SystemError) {
            if frame.kind == .data {
                try store(data, frame)
            } else {
                try zeroes.withUnsafeBufferPointer { (zeroes) throws(SystemError) in
                    try store(
                        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(zeroes)[..<Int(frame.count)]), frame)
                }
            }
        } catch { throw .system(error.description) }
    }

    /// The pages that come after the guest has started (`MissingPages`), in the order of the list.
    package private(set) var missing: [Range<UInt64>] = []

    /// Takes over a frame with a part of the list.
    package func store(missing bytes: [UInt8]) throws(TransferError) {
        guard let ranges = MissingPages.ranges(bytes, from: missing.last?.upperBound ?? 0, size: size) else {
            throw .damaged("the list of missing pages is not one of this memory")
        }
        missing += ranges
    }

    /// Empties the memory where pages are missing.
    ///
    /// - Parameter list: an empty file, which receives the list.
    package func finish(list: Int32) throws(TransferError) {
        do throws(SystemError) {
            let list = try FileDescriptor(duplicating: list)
            try list.writeAll(MissingPages.encoded(missing))
            for range in missing { try file.punchHole(at: range.lowerBound, count: UInt64(range.count)) }
        } catch { throw .system(error.description) }
    }

    private func store(_ bytes: UnsafeRawBufferPointer, _ frame: TransferFrame) throws(SystemError) {
        try file.writeAll(at: frame.offset, bytes)
        checksums.note(bytes, block: Int(frame.offset) / MemoryImage.blockSize)
    }
}

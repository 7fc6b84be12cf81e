internal import Glibc

/// Copies the contents of a disk to a new one, which has zeroes: where the source has zeroes, nothing is written.
package struct DiskCopy {
    /// Takes how many bytes are done, of how many. What it throws ends the work.
    package typealias Progress = (UInt64, UInt64) throws(DiskImageError) -> Void

    private static let step: UInt64 = 2 << 20
    /// Blocks of zeroes are found in steps of this.
    private static let block = 4096

    private let source: any DiskImage
    private let target: any DiskImage
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(step), alignment: 4096)

    /// - Parameter target: at least as large as `source`.
    package static func copy(
        _ source: any DiskImage, to target: any DiskImage, progress: Progress
    ) throws(DiskImageError) {
        let copy = DiskCopy(source: source, target: target)
        defer { copy.buffer.deallocate() }
        try copy.run(progress)
    }

    private init(source: any DiskImage, target: any DiskImage) {
        (self.source, self.target) = (source, target)
    }

    private func run(_ progress: Progress) throws(DiskImageError) {
        var position: UInt64 = 0
        while position < source.size {
            let extent = try source.extent(at: position, limit: source.size)
            if extent.contents == .data {
                for start in stride(from: position, to: extent.range.upperBound, by: Int(Self.step)) {
                    try copy(at: start, count: Int(min(Self.step, extent.range.upperBound - start)))
                    try progress(start, source.size)
                }
            }
            position = extent.range.upperBound
            try progress(position, source.size)
        }
        try target.flush()
    }

    private func copy(at offset: UInt64, count: Int) throws(DiskImageError) {
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        try source.read(at: offset, into: IOBuffers(bytes))
        var start = 0
        while start < count {
            let first = isZero(bytes, at: start)
            var end = min(start + Self.block, count)
            while end < count, isZero(bytes, at: end) == first { end = min(end + Self.block, count) }
            if !first {
                let part = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end])
                try target.write(at: offset + UInt64(start), from: IOBuffers(part))
            }
            start = end
        }
    }

    /// Whether the block that begins at `start` is zero.
    private func isZero(_ bytes: UnsafeMutableRawBufferPointer, at start: Int) -> Bool {
        let count = min(Self.block, bytes.count - start)
        let block = bytes.baseAddress! + start
        // A block is zero if its first byte is, and each byte equals the one before.
        return bytes[start] == 0 && memcmp(block, block + 1, count - 1) == 0
    }
}

import DiskImages

extension DiskImage {
    /// Reads through buffers of the given sizes, or one.
    func bytes(at offset: UInt64, count: Int, cut: [Int] = []) throws -> [UInt8] {
        var result = [UInt8](repeating: 0xEE, count: count)
        try result.withUnsafeMutableBytes { try read(at: offset, into: Self.cut($0, cut)) }
        return result
    }

    func write(_ bytes: [UInt8], at offset: UInt64, cut: [Int] = []) throws {
        var copy = bytes
        try copy.withUnsafeMutableBytes { try write(at: offset, from: Self.cut($0, cut)) }
    }

    private static func cut(_ buffer: UnsafeMutableRawBufferPointer, _ sizes: [Int]) -> IOBuffers {
        var result = IOBuffers()
        var position = 0
        for size in sizes + [buffer.count] {
            let part = min(size, buffer.count - position)
            result.append(UnsafeMutableRawBufferPointer(rebasing: buffer[position..<position + part]))
            position += part
        }
        return result
    }
}

func pattern(_ count: Int, _ seed: Int = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 / 512 &* 7 &+ $0 &+ seed) }
}

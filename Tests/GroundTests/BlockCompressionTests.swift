import SavedState
import Testing

@Suite("Compressed blocks") struct BlockCompressionTests {
    private let block = [UInt8]((0..<65536).map { UInt8(truncatingIfNeeded: $0 / 64) })

    private func compressed(_ block: [UInt8], most: Int) -> [UInt8]? {
        let compressor = BlockCompressor(longest: block.count)
        return block.withUnsafeBytes { compressor.compress($0, most: most).map { Array($0) } }
    }

    private func decompressed(_ frame: [UInt8], room: Int) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0xAA, count: room)
        let count = frame.withUnsafeBytes { frame in
            buffer.withUnsafeMutableBytes { decompressBlock(frame, into: $0) }
        }
        return count.map { Array(buffer[..<$0]) }
    }

    @Test("A block comes back as it was, from a frame that is shorter")
    func roundTrip() throws {
        let frame = try #require(compressed(block, most: block.count - 1))
        #expect(frame.count < block.count / 8)
        #expect(decompressed(frame, room: block.count) == block)
        #expect(decompressed(frame, room: block.count + 100) == block)
    }

    @Test("A frame that is longer than it may be is none")
    func limits() throws {
        let count = try #require(compressed(block, most: block.count)).count
        #expect(compressed(block, most: count)?.count == count)
        #expect(compressed(block, most: count - 1) == nil)
    }

    @Test("A frame that is cut off, altered or too large for the buffer gives nothing")
    func damage() throws {
        let frame = try #require(compressed(block, most: block.count))
        #expect(decompressed(Array(frame.dropLast()), room: block.count) == nil)
        #expect(decompressed([frame[0] ^ 1] + frame.dropFirst(), room: block.count) == nil)
        #expect(decompressed(frame, room: block.count - 1) == nil)
    }
}

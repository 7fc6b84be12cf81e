/// Integers in the fields of a file or a stream, little endian.
package enum LittleEndian {
    package static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// Reads an integer; the caller has checked that all of its bytes are there.
    package static func integer<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: [UInt8], at offset: Int
    ) -> Integer {
        precondition(offset >= 0 && bytes.count - offset >= MemoryLayout<Integer>.size, "the bytes are there")
        return bytes.withUnsafeBytes {
            Integer(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Integer.self))
        }
    }
}

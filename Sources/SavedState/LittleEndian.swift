/// Integers in the fields of a file or a stream, little endian.
package enum LittleEndian {
    package static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// Reads an integer; the caller has checked that all of its bytes are there.
    package static func integer<Integer: FixedWidthInteger>(_ bytes: [UInt8], at offset: Int) -> Integer {
        (0..<MemoryLayout<Integer>.size).reduce(0) { $0 | Integer(bytes[offset + $1]) << Integer(8 * $1) }
    }
}

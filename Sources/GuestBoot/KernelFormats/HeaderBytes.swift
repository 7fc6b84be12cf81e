/// Reads the fields of a header in which anything may stand.
package extension Array where Element == UInt8 {
    /// The little-endian integer at `offset`, or nil when it does not lie in the bytes.
    func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Integer.Type = Integer.self
    ) -> Integer? {
        integer(at: offset).map { Integer(littleEndian: $0) }
    }

    /// The big-endian integer at `offset`, or nil when it does not lie in the bytes.
    func bigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Integer.Type = Integer.self)
        -> Integer?
    {
        integer(at: offset).map { Integer(bigEndian: $0) }
    }

    /// Whether `magic` stands at `offset`.
    func has(_ magic: [UInt8], at offset: Int) -> Bool {
        offset >= 0 && count >= magic.count && offset <= count - magic.count
            && self[offset..<offset + magic.count].elementsEqual(magic)
    }

    private func integer<Integer: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Integer? {
        let size = Integer.bitWidth / 8
        guard offset >= 0, count >= size, offset <= count - size else { return nil }
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Integer.self) }
    }
}

/// A reference count in a block: 1 to 64 bits wide. Counts narrower than a byte begin at its least significant bits.
struct RefcountField {
    /// The logarithm of the width in bits.
    let order: Int

    func load(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UInt64 {
        switch order {
        case 3: UInt64(bytes[index])
        case 4: UInt64(bytes.bigEndian(at: index * 2, as: UInt16.self))
        case 5: UInt64(bytes.bigEndian(at: index * 4, as: UInt32.self))
        case 6: bytes.bigEndian(at: index * 8, as: UInt64.self)
        default:
            UInt64(bytes[index >> (3 - order)] >> shift(index) & mask)
        }
    }

    /// Stores a count, which fits.
    func store(_ value: UInt64, _ bytes: UnsafeMutableRawBufferPointer, _ index: Int) {
        switch order {
        case 3: bytes[index] = UInt8(value)
        case 4: bytes.storeBigEndian(UInt16(value), at: index * 2)
        case 5: bytes.storeBigEndian(UInt32(value), at: index * 4)
        case 6: bytes.storeBigEndian(value, at: index * 8)
        default:
            let byte = index >> (3 - order)
            bytes[byte] = bytes[byte] & ~(mask << shift(index)) | UInt8(value) << shift(index)
        }
    }

    private var mask: UInt8 { 1 << (1 << order) - 1 }

    private func shift(_ index: Int) -> Int { (index & (8 >> order - 1)) << order }
}

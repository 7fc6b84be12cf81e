/// A header block that is being written; `TarHeader` has its layout.
struct TarBlock {
    private var bytes = [UInt8](repeating: 0, count: TarHeader.size)

    init() {
        for (index, byte) in [0x75, 0x73, 0x74, 0x61, 0x72, 0, 0x30, 0x30].enumerated() {
            bytes[257 + index] = UInt8(byte)
        }
    }

    /// Text, cut to the field's size; a field that is full has no zero behind it.
    mutating func set(_ text: [UInt8], _ offset: Int, _ size: Int) {
        for (index, byte) in text.prefix(size).enumerated() { bytes[offset + index] = byte }
    }

    /// All but the field's last byte are octal digits.
    mutating func set(octal value: UInt64, _ offset: Int, _ size: Int) {
        var rest = value
        for index in (0..<(size - 1)).reversed() {
            bytes[offset + index] = UInt8(ascii: "0") + UInt8(rest & 7)
            rest >>= 3
        }
    }

    mutating func set(type: UInt8) { bytes[156] = type }

    func append(to archive: inout [UInt8]) {
        var block = bytes
        var sum: UInt64 = 8 * 0x20
        for byte in bytes { sum += UInt64(byte) }
        // Six digits, a zero and a space.
        var field = TarBlock.octal(sum, digits: 6)
        field.append(contentsOf: [0, 0x20])
        for (index, byte) in field.enumerated() { block[148 + index] = byte }
        archive.append(contentsOf: block)
    }

    private static func octal(_ value: UInt64, digits: Int) -> [UInt8] {
        (0..<digits).reversed().map { UInt8(ascii: "0") + UInt8(value >> UInt64(3 * $0) & 7) }
    }
}

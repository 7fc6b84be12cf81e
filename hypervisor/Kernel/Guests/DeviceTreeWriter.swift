import Support

/// Writes a flattened device tree in place: header, no reservations, the structure, and the property names from 24 KiB on.
struct DeviceTreeWriter {
    private static let names: UInt64 = 0x6000
    private let base: UInt64
    private let size: UInt64
    private var place: UInt64
    private var namesPlace: UInt64

    /// - Parameter address: zeroed memory of `size` bytes, more than 24 KiB.
    init(at address: UInt64, size: UInt64) {
        base = address
        self.size = size
        place = address + 56  // header of 40 bytes, and the end of the reservations
        namesPlace = address + Self.names
    }

    // Both regions are bounded by the number of vCPUs; the checks guard against a defect here.
    private mutating func word(_ value: UInt32) {
        guard place + 4 <= base + Self.names else { fatal("a guest's device tree", "it is longer than 24 KiB") }
        pointer(place).pointee = value.bigEndian
        place += 4
    }

    private mutating func bytes(_ count: Int, _ byte: (Int) -> UInt8) {
        guard place + UInt64(count) + 4 <= base + Self.names else {
            fatal("a guest's device tree", "it is longer than 24 KiB")
        }
        for index in 0..<count { pointer(place + UInt64(index)).pointee = byte(index) }
        place = (place + UInt64(count) + 3) & ~3
    }

    mutating func begin(_ name: StaticString, unit: UInt64? = nil) {
        word(1)
        var length = name.utf8CodeUnitCount
        var text = InlineArray<48, UInt8>(repeating: 0)
        for index in 0..<length { text[index] = name.utf8Start[index] }
        if let unit {
            text[length] = 64
            length += 1
            var shift = UInt64(64)
            while shift > 0 {
                shift -= 4
                if unit >> shift == 0, shift > 0 { continue }
                text[length] = hexadecimalDigit(unit >> shift)
                length += 1
            }
        }
        bytes(length + 1) { text[$0] }
    }

    mutating func end() { word(2) }

    private mutating func header(_ name: StaticString, _ length: Int) {
        word(3)
        word(UInt32(length))
        word(UInt32(namesPlace - base - Self.names))
        guard namesPlace + UInt64(name.utf8CodeUnitCount) + 1 < base + size else {
            fatal("a guest's device tree", "its names are longer than 8 KiB")
        }
        for index in 0..<name.utf8CodeUnitCount { pointer(namesPlace + UInt64(index)).pointee = name.utf8Start[index] }
        namesPlace += UInt64(name.utf8CodeUnitCount) + 1
    }

    mutating func property(_ name: StaticString) { header(name, 0) }

    mutating func property(_ name: StaticString, word value: UInt32) {
        header(name, 4)
        word(value)
    }

    mutating func property(_ name: StaticString, littleEndian words: InlineArray<8, UInt32>) {
        header(name, 32)
        for index in 0..<8 { word(words[index].byteSwapped) }
    }

    mutating func property(_ name: StaticString, address: UInt64) {
        header(name, 8)
        word(UInt32(address >> 32))
        word(UInt32(truncatingIfNeeded: address))
    }

    /// `reg` with cells of two words.
    mutating func range(_ address: UInt64, _ size: UInt64) {
        header("reg", 16)
        word(UInt32(address >> 32))
        word(UInt32(truncatingIfNeeded: address))
        word(UInt32(size >> 32))
        word(UInt32(truncatingIfNeeded: size))
    }

    mutating func property(_ name: StaticString, text: StaticString) {
        header(name, text.utf8CodeUnitCount + 1)
        bytes(text.utf8CodeUnitCount + 1) { $0 < text.utf8CodeUnitCount ? text.utf8Start[$0] : 0 }
    }

    mutating func property(_ name: StaticString, text: UnsafeMutablePointer<UInt8>, most: Int) {
        var length = 0
        while length < most - 1, text[length] != 0 { length += 1 }
        header(name, length + 1)
        bytes(length + 1) { $0 < length ? text[$0] : 0 }
    }

    /// Pairs of a phandle and an interrupt number.
    mutating func contexts(_ name: StaticString, _ count: Int, _ phandle: (Int) -> UInt32, _ interrupt: UInt32) {
        header(name, 8 * count)
        for index in 0..<count {
            word(phandle(index))
            word(interrupt)
        }
    }

    mutating func property(_ name: StaticString, words first: UInt32, _ second: UInt32) {
        header(name, 8)
        word(first)
        word(second)
    }

    /// Ends the tree and writes its header.
    mutating func finish() {
        word(9)
        let end = place
        place = base
        word(0xd00d_feed)
        word(UInt32(size))
        word(56)
        word(UInt32(Self.names))
        word(40)
        word(17)
        word(16)
        word(0)
        word(UInt32(namesPlace - base - Self.names))
        word(UInt32(end - base - 56))
    }
}

/// The header block of a member (POSIX.1-1988 ustar, with GNU's additions):
///
///       0  100  name                    156    1  type flag          329    8  device major
///     100    8  mode                    157  100  link's target      337    8  device minor
///     108    8  owner                   257    6  "ustar\0"          345  155  prefix of the name
///     116    8  group                   263    2  "00"               386   96  GNU: four segments of a sparse file
///     124   12  size                    265   32  owner's name       482    1  GNU: more segments follow
///     136   12  modification time       297   32  group's name       483   12  GNU: the sparse file's size
///     148    8  checksum
struct TarHeader {
    static let size = 512

    let bytes: [UInt8]

    /// Whether the block marks the archive's end.
    var isZero: Bool { bytes.allSatisfy { $0 == 0 } }
    var type: UInt8 { bytes[156] }
    var isUstar: Bool { Array(bytes[257..<262]) == [0x75, 0x73, 0x74, 0x61, 0x72] }
    /// GNU's own format has "ustar  \0", and other things where POSIX has the prefix.
    var isGNU: Bool { isUstar && bytes[262] == 0x20 }

    /// The sum of all bytes with the checksum's own as spaces; old programs summed signed bytes.
    func checkSum() throws(TarFault) {
        let stated = try number(148, 8)
        var sum: UInt64 = 0
        var signed: Int64 = 0
        for (index, byte) in bytes.enumerated() {
            let value = 148..<156 ~= index ? 0x20 : byte
            sum += UInt64(value)
            signed += Int64(Int8(bitPattern: value))
        }
        guard stated == sum || Int64(stated) == signed else { throw TarFault.checksum }
    }

    func text(_ offset: Int, _ size: Int) -> [UInt8] {
        let field = bytes[offset..<(offset + size)]
        return Array(field[..<(field.firstIndex(of: 0) ?? field.endIndex)])
    }

    /// A number in octal digits, or with the first bit set, in binary; below 2^63.
    func number(_ offset: Int, _ size: Int) throws(TarFault) -> UInt64 {
        let value = try signed(offset, size)
        guard value >= 0 else { throw TarFault.number }
        return UInt64(value)
    }

    /// The same, negative ones included, which only the binary form has.
    func signed(_ offset: Int, _ size: Int) throws(TarFault) -> Int64 {
        let field = bytes[offset..<(offset + size)]
        if bytes[offset] & 0x80 != 0 { return try binary(field) }
        var value: Int64 = 0
        var hasEnded = false
        for byte in field {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "7") where !hasEnded:
                guard value < 1 << 59 else { throw TarFault.number }
                value = value << 3 | Int64(byte - UInt8(ascii: "0"))
            case 0, 0x20: hasEnded = hasEnded || value > 0
            default: throw TarFault.number
            }
        }
        return value
    }

    private func binary(_ field: ArraySlice<UInt8>) throws(TarFault) -> Int64 {
        let isNegative = field.first == 0xff
        // The first byte's mark is no digit.
        var value: Int64 = isNegative ? -1 : Int64((field.first ?? 0) & 0x7f)
        for byte in field.dropFirst() {
            guard value < 1 << 54, value >= -(1 << 54) else { throw TarFault.number }
            value = value << 8 | Int64(byte)
        }
        return value
    }

    /// The member's name: prefix and name.
    var name: [UInt8] {
        let name = text(0, 100)
        guard isUstar, !isGNU else { return name }
        let prefix = text(345, 155)
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }
}

/// A number of bytes. Its text form is a whole number with an optional unit K, M or G (powers of 1024).
public struct ByteSize: Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The size in bytes.
    public let bytes: UInt64

    /// A size of `bytes` bytes.
    public init(bytes: UInt64) {
        self.bytes = bytes
    }

    /// A size of `count` mebibytes (2^20 bytes each). `count` is less than 2^44.
    public static func mebibytes(_ count: UInt64) -> ByteSize { ByteSize(bytes: count << 20) }

    /// Parses a size such as `512M`, `4G`, `65536K` or `1048576`. Units may be in lower case.
    ///
    /// The result is nil for zero, negative numbers, fractions, other units, and sizes of 2^63 bytes or more.
    public init?(_ text: String) {
        var digits = Array(text.utf8)[...]
        let shift: UInt64 =
            switch digits.last {
            case UInt8(ascii: "k"), UInt8(ascii: "K"): 10
            case UInt8(ascii: "m"), UInt8(ascii: "M"): 20
            case UInt8(ascii: "g"), UInt8(ascii: "G"): 30
            default: 0
            }
        if shift > 0 { digits = digits.dropLast() }
        // UInt64's initializer would accept a sign.
        guard !digits.isEmpty, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let count = UInt64(String(decoding: digits, as: UTF8.self)),
            count > 0, count <= UInt64(Int64.max) >> shift
        else { return nil }
        bytes = count << shift
    }

    /// The size in the largest unit that divides it, in the form that `init(_:)` parses.
    public var description: String {
        for (unit, shift) in [("G", 30), ("M", 20), ("K", 10)] where bytes > 0 && bytes & (1 << UInt64(shift) - 1) == 0
        {
            return "\(bytes >> UInt64(shift))\(unit)"
        }
        return "\(bytes)"
    }

    /// Whether the left size is smaller.
    public static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }

    /// Reads a number of bytes.
    public init(from decoder: any Decoder) throws {
        bytes = try decoder.singleValueContainer().decode(UInt64.self)
    }

    /// Writes the number of bytes.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}

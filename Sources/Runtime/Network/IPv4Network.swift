/// A range of IPv4 addresses with a common prefix.
package struct IPv4Network: Equatable, Sendable, CustomStringConvertible {
    /// The valid lengths of prefixes: fewer addresses leave no room for machines, and more are nobody's.
    package static let prefixes = 8...29

    /// The first address.
    package let base: UInt32
    /// Bits.
    package let prefix: Int

    init(base: UInt32, prefix: Int) {
        self.base = base
        self.prefix = prefix
    }

    /// The network that an address is in; nil for a prefix that is not valid.
    package init?(containing address: UInt32, prefix: Int) {
        guard Self.prefixes.contains(prefix) else { return nil }
        self.init(base: address & ~(UInt32.max >> UInt32(prefix)), prefix: prefix)
    }

    /// Reads `A.B.C.D/PREFIX`, where the bits behind the prefix are zero; nil for another text.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let base = Self.address(String(parts[0])), let prefix = Int(parts[1]),
            Self.prefixes.contains(prefix), base & (UInt32.max >> UInt32(prefix)) == 0
        else { return nil }
        self.init(base: base, prefix: prefix)
    }

    package var description: String { "\(Self.text(base))/\(prefix)" }

    package func contains(_ address: UInt32) -> Bool { address & ~(UInt32.max >> UInt32(prefix)) == base }

    /// Whether the networks have an address in common.
    func overlaps(_ other: IPv4Network) -> Bool { contains(other.base) || other.contains(base) }

    /// The addresses that machines have: not the first two, of which the second is a router's by custom, and not the last, to which broadcasts go.
    package var machineAddresses: Range<UInt32> { (base + 2)..<(base + UInt32.max >> UInt32(prefix)) }

    /// Reads four numbers with dots; nil for another text.
    package static func address(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt8(part) else { return nil }
            value = value << 8 | UInt32(number)
        }
        return value
    }

    package static func text(_ address: UInt32) -> String {
        "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
    }
}

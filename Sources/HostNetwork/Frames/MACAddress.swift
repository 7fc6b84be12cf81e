/// The address of an Ethernet interface: 48 bits (IEEE 802, clause 8).
package struct MACAddress: Hashable, Sendable, CustomStringConvertible {
    /// The six octets in transmission order, the first in the most significant of the low 48 bits.
    package let value: UInt64

    package static let broadcast = MACAddress(value: 0xFFFF_FFFF_FFFF)

    package init(value: UInt64) {
        self.value = value & 0xFFFF_FFFF_FFFF
    }

    /// The address in the first six of `bytes`; nil if there are fewer.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count >= 6 else { return nil }
        value = bytes.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Parses six pairs of hexadecimal digits with colons between them.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var value: UInt64 = 0
        for part in parts {
            guard part.utf8.count == 2, part.allSatisfy(\.isHexDigit), let octet = UInt8(part, radix: 16) else {
                return nil
            }
            value = value << 8 | UInt64(octet)
        }
        self.value = value
    }

    /// A unicast, locally administered address (clause 8.4) with the given 46 other bits.
    package init(local bits: UInt64) {
        self.init(value: bits & ~(0x03 << 40) | 0x02 << 40)
    }

    package var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: value >> (40 - 8 * UInt64($0))) } }

    /// Whether the address names a group of interfaces, as the broadcast address does.
    package var isMulticast: Bool { value >> 40 & 1 != 0 }

    /// Six pairs of lower-case hexadecimal digits with colons between them.
    package var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}

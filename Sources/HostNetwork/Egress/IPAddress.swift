internal import Glibc

/// An IPv4 or IPv6 address.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    package let isIPv6: Bool
    /// The address as a number: 32 or 128 bits.
    package let value: UInt128

    package init(isIPv6: Bool, value: UInt128) {
        self.isIPv6 = isIPv6
        self.value = value
    }

    /// The address in network byte order, of which there are 4 or 16 bytes.
    package init(_ bytes: some Collection<UInt8>) {
        precondition(bytes.count == 4 || bytes.count == 16)
        isIPv6 = bytes.count == 16
        value = bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// Parses the usual text forms (RFC 1123, section 2.1; RFC 4291, section 2.2).
    package init?(_ text: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(bytes[..<4])
        } else if inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(bytes)
        } else {
            return nil
        }
    }

    package var bytes: [UInt8] {
        let count = isIPv6 ? 16 : 4
        return (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt128(count - 1 - $0))) }
    }

    /// Whether the address names a group, or all hosts of a link.
    var isGroup: Bool {
        isIPv6 ? value >> 120 == 0xFF : value >> 28 == 0xE || value == 0xFFFF_FFFF
    }

    /// Whether the address belongs to the host itself or to one link: unspecified, loopback, link-local, a group, or an IPv6 form of an
    /// IPv4 address. A name of the Internet does not lead there, so that one which claims to is not believed.
    var isLocalOrSpecial: Bool {
        guard isIPv6 else { return isGroup || [0, 127].contains(value >> 24) || value >> 16 == 0xA9FE }
        return isGroup || value <= 1 || value >> 118 == 0xFE80 >> 6 || value >> 32 == 0xFFFF
    }

    package var description: String {
        var text = [CChar](repeating: 0, count: 64)
        _ = inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, &text, 64)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

internal import Glibc

/// An address of a guest's network interface, as the guest's own agent reports it.
///
/// The text comes from the guest. Only well-formed addresses and names of printable ASCII characters become a value, so that a terminal can
/// show them as they are.
public struct GuestAddress: Codable, Equatable, Sendable, CustomStringConvertible {
    /// The interface's name in the guest, such as `eth0`: 1 to 15 characters.
    public let interface: String
    /// A numeric IPv4 or IPv6 address in its usual form.
    public let address: String
    /// The bits of the network's part: 0 to 32 for IPv4, 0 to 128 for IPv6.
    public let prefixLength: Int

    /// Names of Linux have so many bytes at most (IFNAMSIZ, less the final zero byte).
    private static let longestInterface = 15

    /// Reads `INTERFACE ADDRESS/PREFIX`; nil for any other text.
    package init?(_ text: [UInt8]) {
        let words = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 2, 1...Self.longestInterface ~= words[0].count,
            words[0].allSatisfy({ 0x21...0x7E ~= $0 })
        else { return nil }
        let parts = words[1].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 2, 1...3 ~= parts[1].count, parts[1].allSatisfy({ 0x30...0x39 ~= $0 }),
            let prefix = Int(String(decoding: parts[1], as: UTF8.self)),
            let (address, bits) = Self.canonical(String(decoding: parts[0], as: UTF8.self)), prefix <= bits
        else { return nil }
        interface = String(decoding: words[0], as: UTF8.self)
        self.address = address
        prefixLength = prefix
    }

    /// The address in the form that inet_ntop(3) gives it, and its bits; nil for a text that is not an address.
    private static func canonical(_ text: String) -> (text: String, bits: Int)? {
        for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: 16)
            guard inet_pton(family, text, &bytes) == 1 else { continue }
            var name = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            guard inet_ntop(family, bytes, &name, socklen_t(name.count)) != nil else { return nil }
            let end = name.firstIndex(of: 0) ?? name.count
            return (String(decoding: name[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self), 8 * size)
        }
        return nil
    }

    /// Whether the address holds on its link only (169.254.0.0/16, fe80::/10), so that other networks do not reach it.
    public var isLinkLocal: Bool {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) == 1 { return bytes[0] == 169 && bytes[1] == 254 }
        return inet_pton(AF_INET6, address, &bytes) == 1 && bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80
    }

    /// `ADDRESS/PREFIX`.
    public var description: String { "\(address)/\(prefixLength)" }
}

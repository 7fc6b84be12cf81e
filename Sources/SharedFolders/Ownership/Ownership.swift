internal import Glibc

/// Who owns the files of a share, as the guest sees it.
package enum Ownership: Equatable, Sendable {
    /// Everything belongs to the guest's root, and new files to this process's user on the host. What the guest sets beyond that is
    /// kept beside the file and has no effect on the host: see `OwnerRecord`.
    case caller
    /// Users and groups have the same numbers on both sides.
    case pass
    /// Users and groups of these ranges have other numbers; the guest sees others as `nobody`.
    case map([IdentityRange])

    /// The user `nobody` of Linux (overflowuid).
    static let nobody: UInt32 = 65534

    /// The guest's number for a user or group of the host.
    func guest(_ host: UInt32) -> UInt32 {
        switch self {
        case .caller: 0
        case .pass: host
        case .map(let ranges): ranges.lazy.compactMap { $0.guest(host) }.first ?? Self.nobody
        }
    }

    /// Whether the guest has a number for a user or group of the host.
    func knows(_ host: UInt32) -> Bool {
        guard case .map(let ranges) = self else { return true }
        return ranges.contains { $0.guest(host) != nil }
    }

    /// The host's number for a user or group of the guest.
    func host(_ guest: UInt32) throws(FileError) -> UInt32 {
        switch self {
        case .caller, .pass: return guest
        case .map(let ranges):
            guard let host = ranges.lazy.compactMap({ $0.host(guest) }).first else { throw FileError(EOVERFLOW) }
            return host
        }
    }
}

/// `count` users and groups of the guest from `guest` on are those of the host from `host` on.
package struct IdentityRange: Equatable, Sendable {
    package let guest: UInt32
    package let host: UInt32
    package let count: UInt32

    /// Nil for a range that is empty or goes beyond the largest number.
    package init?(guest: UInt32, host: UInt32, count: UInt32) {
        // The largest number means none.
        guard count > 0, guest < UInt32.max - (count - 1), host < UInt32.max - (count - 1) else { return nil }
        self.guest = guest
        self.host = host
        self.count = count
    }

    fileprivate func guest(_ number: UInt32) -> UInt32? {
        number >= host && number - host < count ? guest + (number - host) : nil
    }

    fileprivate func host(_ number: UInt32) -> UInt32? {
        number >= guest && number - guest < count ? host + (number - guest) : nil
    }
}

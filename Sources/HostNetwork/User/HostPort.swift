internal import CLinux
package import HostSystem

/// A port of the host.
package enum HostPort {
    /// Checks that a port of a numeric address can be bound now.
    ///
    /// - Throws: the refusal; code EINVAL for text that is not an IPv4 or IPv6 address.
    package static func check(_ address: String, _ port: UInt16, isUDP: Bool) throws(SystemError) {
        let code = aerie_try_port(address, Int32(port), isUDP ? 1 : 0)
        if code != 0 { throw SystemError("bind", code: code) }
    }
}

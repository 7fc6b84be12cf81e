/// The numbers that both ends of the agent's protocol agree on (docs/agent-protocol.md).
package enum AgentLimits {
    /// The version of the protocol that this source describes.
    package static let version: UInt32 = 1
    /// The vsock port of the agent. Only the guest's root can listen on ports below 1024.
    package static let port: UInt32 = 1023
    /// The largest payload of a DATA frame, in bytes.
    package static let data = 65_536
    /// The largest payload of every other frame, in bytes.
    package static let payload = 262_144
    /// The most fields in one record.
    package static let fields = 8192
    /// The longest text of an ERROR, in bytes.
    package static let errorText = 1024
    /// The longest path, in bytes, as Linux's PATH_MAX without its final zero byte.
    package static let path = 4095
    /// The most bytes of entropy in one CONFIGURE.
    package static let entropy = 512
    /// The most network cards in one CONFIGURE.
    package static let cards = 32
    /// The longest text with addresses and names of networks, in bytes.
    package static let network = 65_536
    /// The longest host name, in bytes (Linux's HOST_NAME_MAX).
    package static let hostname = 64
    /// Where the guest has its own programs for a new identity.
    package static let hookDirectory: StaticString = "/etc/aerie/forked.d"
    /// The most sessions at once.
    package static let sessions = 256
    /// The most bytes of standard input that may be granted and not yet taken.
    package static let credit: UInt32 = 262_144
}

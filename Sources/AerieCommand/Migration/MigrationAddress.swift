internal import Aerie

/// Where a machine goes, or where one is awaited.
enum MigrationAddress: Equatable {
    /// A socket of Unix.
    case socket(String)
    /// A port of this host's loopback interface.
    case loopback(port: UInt16)
    /// `aerie receive -` on another host, started by ssh.
    case ssh(String)
    /// Standard input and output.
    case standard

    init(_ text: String) throws(AerieError) {
        if text == "-" {
            self = .standard
        } else if text.hasPrefix("unix:"), text.utf8.count > 5 {
            self = .socket(String(text.dropFirst(5)))
        } else if text.hasPrefix("ssh:"), text.utf8.count > 4, !text.dropFirst(4).hasPrefix("-") {
            self = .ssh(String(text.dropFirst(4)))
        } else {
            self = try Self.port(text)
        }
    }

    private static func port(_ text: String) throws(AerieError) -> MigrationAddress {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let port = UInt16(parts[1]), port > 0 else {
            throw AerieError(
                .usage, asked: "the address '\(text)'", found: "it is not one of a transfer",
                advice: "give unix:PATH, 127.0.0.1:PORT, ssh:HOST or -")
        }
        guard ["127.0.0.1", "localhost"].contains(parts[0]) else {
            throw AerieError(
                .usage, asked: "the address '\(text)'", found: "anybody on the way could read and change the machine",
                advice: "give ssh:\(parts[0])")
        }
        return .loopback(port: port)
    }
}

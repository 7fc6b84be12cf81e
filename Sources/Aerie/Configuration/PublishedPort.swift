internal import Glibc
internal import HostNetwork
internal import HostSystem

/// A port of the host whose connections or datagrams go to a port of the guest.
public struct PublishedPort: Codable, Equatable, Sendable {
    /// A transport protocol.
    public enum Transport: String, CaseIterable, Codable, Sendable {
        /// TCP.
        case tcp
        /// UDP.
        case udp
    }

    /// The host's address, IPv4 or IPv6, without brackets.
    public var address: String
    /// The host's port: 1 to 65535.
    public var hostPort: UInt16
    /// The guest's port: 1 to 65535.
    public var guestPort: UInt16
    /// The transport protocol.
    public var transport: Transport

    /// Publishes a guest's port on the host's loopback interface unless another address is given.
    public init(
        address: String = "127.0.0.1", hostPort: UInt16, guestPort: UInt16, transport: Transport = .tcp
    ) {
        self.address = address
        self.hostPort = hostPort
        self.guestPort = guestPort
        self.transport = transport
    }

    /// Parses `[ADDRESS:]HOSTPORT:GUESTPORT[/tcp|/udp]`. An IPv6 address stands in brackets.
    ///
    /// - Throws: an error of category `usage` for another form.
    public init(option text: String) throws(AerieError) {
        func refused(_ found: String) -> AerieError {
            AerieError(
                .usage, asked: "--publish \(text)", found: found,
                advice: "use [ADDRESS:]HOSTPORT:GUESTPORT[/udp], such as 8080:80")
        }
        var ports = Substring(text)
        var transport = Transport.tcp
        if let slash = ports.lastIndex(of: "/") {
            let name = ports[ports.index(after: slash)...]
            guard let known = Transport(rawValue: String(name)) else { throw refused("'\(name)' is not tcp or udp") }
            transport = known
            ports = ports[..<slash]
        }
        var numbers: [UInt16] = []
        for _ in 0..<2 {
            let colon = ports.lastIndex(of: ":")
            let word = colon.map { ports[ports.index(after: $0)...] } ?? ports
            guard let number = UInt16(word), number > 0 else {
                throw refused("'\(word)' is not a port from 1 to 65535")
            }
            numbers.insert(number, at: 0)
            ports = colon.map { ports[..<$0] } ?? ""
        }
        var address = ports
        if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
        self.init(hostPort: numbers[0], guestPort: numbers[1], transport: transport)
        if !ports.isEmpty { self.address = String(address) }
    }

    /// The option of passt that publishes the port.
    var passtOption: [String] {
        [transport == .tcp ? "--tcp-ports" : "--udp-ports", "\(address)/\(hostPort):\(guestPort)"]
    }

    /// Checks that the address is one, and that the port is free.
    func validate() throws(AerieError) {
        let asked = "--publish \(address):\(hostPort):\(guestPort)\(transport == .udp ? "/udp" : "")"
        do throws(SystemError) {
            try HostPort.check(address, hostPort, isUDP: transport == .udp)
        } catch {
            guard error.code != EINVAL else {
                throw AerieError(
                    .usage, asked: asked, found: "'\(address)' is not an IPv4 or IPv6 address",
                    advice: "give one, with an IPv6 address in brackets")
            }
            throw AerieError(
                .notStarted, asked: asked, found: error.reason,
                advice: error.code == EADDRINUSE
                    ? "end the program that uses the port, or choose another" : "choose another")
        }
    }
}

internal import Glibc
internal import HostSockets
internal import HostSystem
internal import VirtioDevices

/// Sockets between the guest and programs of the host (AF_VSOCK), which reach them as sockets of Unix.
///
/// A program of the host connects to `path`, writes `CONNECT PORT\n` with a port of the guest, reads `OK HOSTPORT\n`, and has a stream to
/// the guest. A guest's connection to port P of the host (CID 2) leads to the program that listens at `path_P`.
public struct SocketSettings: Codable, Equatable, Sendable {
    /// The path of the socket at which the machine listens: at most 96 bytes. Its file can be opened by this user only.
    public var path: String
    /// The guest's address: 3 to 2^32 - 2.
    public var guestCID: UInt32

    private static let guestCIDs: ClosedRange<UInt32> = 3...(.max - 1)

    /// Describes the sockets. `Configuration.validate()` checks the values.
    public init(path: String, guestCID: UInt32 = 3) {
        self.path = path
        self.guestCID = guestCID
    }

    /// Parses `PATH[,cid=N]`; a comma in PATH is written twice.
    ///
    /// - Throws: an error of category `usage` for an unknown setting or a number out of range.
    public init(option text: String) throws(AerieError) {
        let parts = OptionParts.split(text)
        self.init(path: parts[0])
        for part in parts.dropFirst() {
            guard part.hasPrefix("cid=") else {
                throw AerieError(
                    .usage, asked: "--vsock \(text)", found: "'\(part)' is not known",
                    advice: "after the path, use cid=NUMBER")
            }
            guard let number = UInt32(part.dropFirst(4)), Self.guestCIDs.contains(number) else {
                throw AerieError(
                    .usage, asked: "--vsock \(text)", found: "'\(part.dropFirst(4))' is not a guest's address",
                    advice: "use a number from \(Self.guestCIDs.lowerBound) to \(Self.guestCIDs.upperBound)")
            }
            guestCID = number
        }
    }

    func validate() throws(AerieError) {
        let count = path.utf8.count
        guard count > 0, count <= UnixSocketBackend.longestPath, !path.utf8.contains(0) else {
            throw AerieError(
                .usage, asked: "--vsock \(path)",
                found: count == 0 ? "no path is given" : "the path has \(count) bytes",
                advice: "use a path of 1 to \(UnixSocketBackend.longestPath) bytes")
        }
        guard Self.guestCIDs.contains(guestCID) else {
            throw AerieError(
                .usage, asked: "cid=\(guestCID)", found: "it is not a guest's address",
                advice: "use a number from \(Self.guestCIDs.lowerBound) to \(Self.guestCIDs.upperBound)")
        }
    }

    /// The guest's device, whose socket the host's programs find from now on.
    func makeDevice(_ services: HostServices, _ log: Log) throws(AerieError) -> SocketDevice {
        do {
            let backend = try UnixSocketBackend(path: path, connector: services.connectSocket)
            return SocketDevice(guestCID: UInt64(guestCID), backend: backend, log: log)
        } catch {
            throw AerieError(socket: error, path: path)
        }
    }
}

extension AerieError {
    /// The socket at `path` cannot be listened at.
    init(socket error: SystemError, path: String) {
        let asked = "--vsock \(path)"
        switch error.code {
        case EADDRINUSE:
            self.init(
                .badInput, asked: asked, found: "another program listens at this socket", advice: "choose another path")
        case EEXIST:
            self.init(
                .badInput, asked: asked, found: "the file there is not a socket", advice: "choose another path")
        default: self.init(.badInput, asked: asked, found: error.reason, advice: "check the path and its directory")
        }
    }
}

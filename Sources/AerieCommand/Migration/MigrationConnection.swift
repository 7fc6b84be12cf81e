internal import Aerie
internal import CSockets
internal import Foundation
internal import Glibc
internal import HostSockets
internal import HostSystem

/// A connection between the sender and the receiver of a machine: blocking descriptors.
final class MigrationConnection: @unchecked Sendable {
    // @unchecked: other threads only cut the connection, which needs nothing that changes.
    let input: Int32
    let output: Int32
    /// The program that carries the connection.
    private let carrier: Process?
    private var isOpen = true

    private init(input: Int32, output: Int32, carrier: Process? = nil) {
        self.input = input
        self.output = output
        self.carrier = carrier
    }

    /// Connects with a receiver.
    static func open(_ address: MigrationAddress) throws -> MigrationConnection {
        switch address {
        case .socket(let path): return try connected(asked: "unix:\(path)") { aerie_stream_connect(path) }
        case .loopback(let port): return try connected(asked: "127.0.0.1:\(port)") { aerie_loopback_connect(port) }
        case .ssh(let host): return try ssh(host)
        case .standard: return MigrationConnection(input: STDIN_FILENO, output: STDOUT_FILENO)
        }
    }

    private static func connected(asked: String, _ connect: () -> Int32) throws(AerieError) -> MigrationConnection {
        do throws(SystemError) {
            return try blocking(try checked("connect", connect))
        } catch {
            throw AerieError(
                .unavailable, asked: "the receiver at \(asked)", found: error.reason,
                advice: "start 'aerie receive \(asked)' first")
        }
    }

    private static func blocking(_ descriptor: Int32) throws(SystemError) -> MigrationConnection {
        let flags = fcntl(descriptor, F_GETFL)
        _ = try checked("fcntl") { fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) }
        // Whoever takes nothing for so long is gone, as far as the guest is concerned that waits.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        _ = try checked("setsockopt") { setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size) }
        return MigrationConnection(input: descriptor, output: descriptor)
    }

    private static func ssh(_ host: String) throws -> MigrationConnection {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        // A host that is gone ends the connection after a minute.
        process.arguments = [
            "ssh", "-T", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", host, "aerie receive -",
        ]
        let (there, here) = (Pipe(), Pipe())
        process.standardInput = there
        process.standardOutput = here
        do {
            try process.run()
        } catch {
            throw AerieError(.unavailable, asked: "ssh \(host)", found: "\(error)", advice: "install ssh")
        }
        // Only the program's own ends are left, so that its end is seen.
        let input = dup(here.fileHandleForReading.fileDescriptor)
        let output = dup(there.fileHandleForWriting.fileDescriptor)
        try? there.fileHandleForWriting.close()
        try? here.fileHandleForReading.close()
        return MigrationConnection(input: input, output: output, carrier: process)
    }

    /// The connection as its user knows it.
    var parts: (input: Int32, output: Int32, close: () -> Void) { (input, output, { self.close() }) }

    /// Waits for a sender of the same user.
    ///
    /// - Parameter deadline: nanoseconds of `HostClock.monotonic`; nil for no limit.
    /// - Returns: nil when the deadline has passed.
    static func accept(_ address: MigrationAddress, until deadline: UInt64? = nil) throws -> MigrationConnection? {
        switch address {
        case .standard: return MigrationConnection(input: STDIN_FILENO, output: STDOUT_FILENO)
        case .ssh:
            throw AerieError(
                .usage, asked: "receiving over ssh", found: "the sender starts it", advice: "give - instead")
        case .socket(let path):
            LeftOverSocket.remove(path)
            let listener = try listening("unix:\(path)") { aerie_stream_listen(path) }
            defer { unlink(path) }
            return try accepted(listener, deadline) { _ in true }
        case .loopback(let port):
            let listener = try listening("127.0.0.1:\(port)") { aerie_loopback_listen(port) }
            // Every user of the host can connect.
            return try accepted(listener, deadline) { LoopbackPeer.isOfThisUser($0) }
        }
    }

    private static func listening(_ asked: String, _ listen: () -> Int32) throws(AerieError) -> FileDescriptor {
        do throws(SystemError) {
            return FileDescriptor(owning: try checked("listen", listen))
        } catch {
            throw AerieError(
                .unavailable, asked: "receiving at \(asked)", found: error.reason, advice: "choose another address")
        }
    }

    private static func accepted(
        _ listener: borrowing FileDescriptor, _ deadline: UInt64?, _ isWelcome: (Int32) -> Bool
    ) throws(SystemError) -> MigrationConnection? {
        while true {
            var request = pollfd(fd: listener.rawValue, events: Int16(POLLIN), revents: 0)
            let now = HostClock.monotonic()
            let rest = deadline.map { Int32(clamping: (max($0, now) - now) / 1_000_000) } ?? -1
            guard try checked("poll", { poll(&request, 1, rest) }) > 0 else { return nil }
            let descriptor = aerie_stream_accept(listener.rawValue)
            guard descriptor >= 0 else { continue }
            if isWelcome(descriptor) { return try blocking(descriptor) }
            Glibc.close(descriptor)
        }
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(output)
        if input != output { Glibc.close(input) }
        carrier?.waitUntilExit()
    }

    /// Lets both ends know that the connection is of no use any more, also a machine's process that sends. Any thread.
    func cut() {
        shutdown(output, Int32(SHUT_RDWR))
        carrier?.terminate()
    }

    /// Closes a connection that is of no use any more, also where the network says nothing.
    func abort() {
        if isOpen { carrier?.terminate() }
        close()
    }
}

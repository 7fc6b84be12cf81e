import Support

/// The socket that clients connect to: vsock port 1023, or a socket of Unix in tests.
///
/// The driver of vsock may come later than the agent, so listening is tried again, at longer and longer intervals.
struct Listener: ~Copyable {
    private let path: [UInt8]?
    private var socket: Descriptor?
    /// When to try again, in milliseconds of the monotonic clock; the largest number means never.
    private(set) var nextTry: UInt64 = 0
    private var interval: UInt64 = 10
    private var tries = 0

    private static let vsock = 40  // AF_VSOCK
    private static let unix = 1  // AF_UNIX
    /// The host's address on vsock.
    private static let host: UInt32 = 2
    private static let mostTries = 200

    init(_ options: AgentOptions) { path = options.socketPath }

    /// Whether the agent listens since now.
    mutating func tryToListen(now: UInt64) -> Bool {
        guard nextTry <= now else { return false }
        tries += 1
        do throws(Errno) {
            if let path {
                socket = try Self.listen(path: path)
            } else {
                socket = try Self.listenForHost()
            }
            nextTry = UInt64.max
            return true
        } catch {
            nextTry = tries < Self.mostTries ? now + interval : UInt64.max
            interval = min(interval * 2, 1000)
            return false
        }
    }

    func register(_ poller: borrowing Poller) {
        guard let number else { return }
        poller.set(number, from: 0, to: Poller.readable, key: EventKey(.listener))
    }

    private var number: Int32? { socket.number }

    /// The next client's connection, or nil if none waits.
    func accept() -> Descriptor? {
        guard let number else { return nil }
        while true {
            var address = aerie_vsock_address()
            var length = UInt32(MemoryLayout<aerie_vsock_address>.size)
            let result = withUnsafeMutablePointer(to: &address) { address in
                withUnsafeMutablePointer(to: &length) { length in
                    system(
                        SystemCall.accept4, Int(number), Int(bitPattern: address), Int(bitPattern: length),
                        OpenFlags.nonblocking | OpenFlags.closeOnExec)
                }
            }
            guard result >= 0 else { return nil }
            let connection = Descriptor(owning: Int32(result))
            // A program of the guest can reach the port, too, through the loopback of vsock. It must not become root.
            if path == nil, address.family != UInt16(Self.vsock) || address.cid != Self.host { continue }
            return connection
        }
    }

    private static func socket(_ family: Int) throws(Errno) -> Descriptor {
        try Descriptor(
            // SOCK_STREAM
            system(SystemCall.socket, family, 1 | OpenFlags.nonblocking | OpenFlags.closeOnExec))
    }

    private static func listenForHost() throws(Errno) -> Descriptor {
        let socket = try socket(vsock)
        var address = aerie_vsock_address()
        address.family = UInt16(vsock)
        address.port = AgentLimits.port
        address.cid = UInt32.max  // every address of the guest
        try checked(
            withUnsafeMutablePointer(to: &address) {
                system(
                    SystemCall.bind, Int(socket.number), Int(bitPattern: $0), MemoryLayout<aerie_vsock_address>.size)
            })
        try checked(system(SystemCall.listen, Int(socket.number), 128))
        return socket
    }

    private static func listen(path: [UInt8]) throws(Errno) -> Descriptor {
        let socket = try socket(unix)
        guard let address = UnixAddress(path) else { throw Errno.nameTooLong }
        _ = path.withCString { system(SystemCall.unlinkat, OpenFlags.here, Int($0), 0) }
        let mask = system(SystemCall.umask, 0o177)
        let result = address.withPointer { system(SystemCall.bind, Int(socket.number), $0, $1) }
        _ = system(SystemCall.umask, mask)
        try checked(result)
        try checked(system(SystemCall.listen, Int(socket.number), 128))
        return socket
    }
}

/// The address of a socket of Unix.
struct UnixAddress {
    private var address = aerie_unix_address()
    private let size: Int

    /// Nil if the path is longer than an address can be.
    init?(_ path: [UInt8]) {
        guard !path.isEmpty, path.count <= ForwardRequest.longestPath else { return nil }
        address.family = 1
        withUnsafeMutableBytes(of: &address.path) { place in
            for index in path.indices { place[index] = path[index] }
        }
        size = 2 + path.count + 1
    }

    func withPointer<Result>(_ body: (_ address: Int, _ size: Int) -> Result) -> Result {
        var copy = address
        return withUnsafeMutablePointer(to: &copy) { body(Int(bitPattern: $0), size) }
    }
}

import Support

/// How the agent was started.
struct AgentOptions {
    /// Where to listen: a socket of Unix for tests, vsock without it.
    var socketPath: [UInt8]?
    /// The console for the host's wishes, such as hvc1.
    var controlPort: [UInt8]?
    var watchesKernelLog = false
    /// A file that is there while the guest boots.
    var bootMark = [UInt8](WaitingCommand.mark)
    var isFirstProcess = false

    /// Free memory of the heap that a session must find at its beginning and before each growth of a buffer.
    static let heapReserve = 3 << 20

    /// The program's version, which INFORMATION carries.
    static let version: StaticString = "1"
}

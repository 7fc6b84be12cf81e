import AgentClient
import ScriptedAgent
import Glibc
import HostSystem

/// Connects to a script on a thread of this process.
struct PairConnector: AgentConnector {
    let script: @Sendable (AgentPeer) -> Void

    init(_ script: @escaping @Sendable (AgentPeer) -> Void) {
        self.script = script
    }

    func connect(greeting: [UInt8], by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw .system(.last("socketpair"))
        }
        let (own, other) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // A new pair of sockets has room for it.
        guard write(own, greeting, greeting.count) == greeting.count else { throw .system(.last("write")) }
        startThread { script(AgentPeer(owning: other)) }
        return FileDescriptor(owning: own)
    }
}

/// A pipe of a test, whose ends are closed one by one.
final class TestPipe {
    private(set) var readEnd: Int32
    private(set) var writeEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { fatalError("pipe: \(errno)") }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        closeRead()
        closeWrite()
    }

    /// Gives the writing end to the caller, who closes it.
    func takeWriteEnd() -> Int32 {
        defer { writeEnd = -1 }
        return writeEnd
    }

    /// Gives the reading end to the caller, who closes it.
    func takeReadEnd() -> Int32 {
        defer { readEnd = -1 }
        return readEnd
    }

    func closeRead() {
        if readEnd >= 0 { close(readEnd) }
        readEnd = -1
    }

    func closeWrite() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }

    func write(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(writeEnd, $0.baseAddress! + done, bytes.count - done) }
            guard count > 0 else { return }
            done += count
        }
    }

    /// Reads to the end; the writing end has to be closed by everybody.
    func readAll() -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = Glibc.read(readEnd, &chunk, chunk.count), count > 0 { result += chunk[..<count] }
        return result
    }
}

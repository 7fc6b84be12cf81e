import CJail
import CRawCalls
import Glibc
import HostSystem

/// What a machine's process has, and what it would like to have.
struct Surroundings: Sendable {
    /// A directory of the test's, with `share`, `read-only`, and a listening socket.
    let directory: String
    let monitor: Int
    let port: Int32
    let abstractName: String
    let tooManyThreads: Int32 = 400
    let tooManyPieces: Int32 = 256
    // The process's own, once it has opened them.
    var share: Int32 = -1
    var readOnlyShare: Int32 = -1
    var descriptors: Int32 = -1
    var memoryFile: Int32 = -1
    // nonisolated(unsafe): mapped as long as the process runs; nobody reads or writes there.
    nonisolated(unsafe) var page = UnsafeMutableRawPointer(bitPattern: 4096)!
    nonisolated(unsafe) var code = UnsafeMutableRawPointer(bitPattern: 4096)!

    /// In the monitor: sockets that somebody listens at.
    init(directory: String) {
        self.directory = directory
        monitor = Int(getpid())
        abstractName = "@jail-breaker-\(getpid())"
        var port: Int32 = 0
        guard raw_listen_tcp(&port) >= 0, raw_listen_unix("\(directory)/socket") >= 0,
            raw_listen_unix(abstractName) >= 0
        else { fatalError("no listening sockets") }
        self.port = port
    }

    /// In the machine's process before the lock: what a real one has, too.
    mutating func open(withShares: Bool) throws(SystemError) {
        if withShares {
            share = aerie_jail_open_directory("\(directory)/share")
            readOnlyShare = aerie_jail_open_directory("\(directory)/read-only")
            descriptors = aerie_jail_open_directory("/proc/self/fd")
        }
        memoryFile = try makeMemoryFile(name: "guest", size: 1 << 20).release()
        page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        code = mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, memoryFile, 0)
        raw_ring_prepare()
    }
}

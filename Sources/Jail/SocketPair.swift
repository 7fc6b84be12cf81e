internal import CJail
internal import HostSystem

/// A pair of sockets for messages: the monitor's and the child's.
struct SocketPair: ~Copyable {
    let first: FileDescriptor
    let second: FileDescriptor

    init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        _ = try checked("socketpair") { aerie_jail_socket_pair(&ends) }
        first = FileDescriptor(owning: ends[0])
        second = FileDescriptor(owning: ends[1])
    }

    /// Closes the child's end in the monitor.
    consuming func takeFirst() -> FileDescriptor { first }
}

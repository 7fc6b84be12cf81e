internal import CLinux
package import HostSystem

/// Starts passt as a child of this process.
package struct ChildPasstStarter: PasstStarter {
    private let path: String
    private let arguments: [String]

    /// - Parameters:
    ///   - path: the program passt.
    ///   - arguments: its options, without those for the connection to the card.
    package init(path: String, arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    package func start() throws(SystemError) -> PasstConnection {
        let (socket, process) = try startProcess()
        return PasstConnection(socket: FileDescriptor(owning: socket), program: process)
    }

    /// Starts the program; the socket to it is the caller's to close.
    package func startProcess() throws(SystemError) -> (socket: Int32, process: PasstProcess) {
        var ends: [Int32] = [-1, -1]
        _ = try checked("socketpair") { aerie_socket_pair(1, &ends) }
        let own = FileDescriptor(owning: ends[0])
        let theirs = FileDescriptor(owning: ends[1])
        let process = try PasstProcess(path: path, arguments: arguments, socket: theirs)
        return (own.release(), process)
    }
}

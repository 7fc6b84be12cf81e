package import HostSystem

/// The host's side of the sockets between a guest and programs of the host.
///
/// All calls are made on the thread of the machine's event loop, but for `start`, and for the `stop` of a backend that was not started.
package protocol SocketBackend: AnyObject, Sendable {
    /// - Parameter handler: called when a program wants a connection to a port of the guest.
    func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (_ stream: any HostStream, _ port: UInt32) -> Void
    ) throws(SystemError)

    /// Connects to the program that serves a port for the guest; nil where none does.
    func connect(port: UInt32) -> (any HostStream)?

    /// Ends the backend. Streams are the caller's to close.
    func stop()
}

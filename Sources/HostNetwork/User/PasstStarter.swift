package import HostSystem

/// Starts passt for one network card, again whenever it has ended. A jailed process asks its monitor to do it.
package protocol PasstStarter: Sendable {
    /// Does not wait for passt to be ready.
    func start() throws(SystemError) -> PasstConnection
}

/// A running passt and the socket to it.
package struct PasstConnection: ~Copyable {
    /// Carries frames; it does not block.
    package let socket: FileDescriptor
    package let program: any RunningPasst

    package init(socket: consuming FileDescriptor, program: any RunningPasst) {
        self.socket = socket
        self.program = program
    }
}

/// A running passt. It ends by itself when the socket to it is closed.
package protocol RunningPasst: AnyObject {
    /// The last line that it wrote to standard error; nil if there is none.
    func lastMessage() -> String?

    /// Ends the program if it runs.
    func end()
}

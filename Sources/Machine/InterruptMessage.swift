/// A message-signalled interrupt: a write to memory that a controller takes for an interrupt.
package struct InterruptMessage: Equatable, Sendable {
    package var address: UInt64
    package var data: UInt32

    package init(address: UInt64, data: UInt32) {
        self.address = address
        self.data = data
    }
}

/// What takes interrupt messages in.
package protocol MessageSink: AnyObject, Sendable {
    /// Raises the interrupt that the message stands for. Any thread; a message without meaning is ignored.
    func send(_ message: InterruptMessage)
}

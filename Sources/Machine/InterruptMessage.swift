/// A message-signalled interrupt (MSI): the address and the data of a write that an interrupt controller receives.
package struct InterruptMessage: Equatable, Sendable {
    package var address: UInt64
    package var data: UInt32

    package init(address: UInt64, data: UInt32) {
        self.address = address
        self.data = data
    }
}

/// A receiver of message-signalled interrupts.
package protocol MessageSink: AnyObject, Sendable {
    /// Delivers a message, on any thread. A message that no controller accepts is ignored.
    func send(_ message: InterruptMessage)
}

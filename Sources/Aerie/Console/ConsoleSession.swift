/// An open console of a guest: its output as a stream, and input for it.
///
/// The session ends with the machine, by `close`, and when nobody refers to it any more.
public final class ConsoleSession: Sendable {
    /// The guest's output, from before the session's start as far as it is kept.
    public var output: ByteStream { ByteStream(pipe, keeping: self) }
    private let pipe: BytePipe
    private let input: BytePipe
    private let onClose: @Sendable () -> Void

    package init(output: BytePipe, input: BytePipe, onClose: @escaping @Sendable () -> Void) {
        pipe = output
        self.input = input
        self.onClose = onClose
    }

    deinit { close() }

    /// Types bytes. The call suspends while the guest does not read.
    ///
    /// - Throws: `inputOutput` when the session or the machine has ended, and `cancelled`.
    public func send(_ bytes: [UInt8]) async throws(AerieError) {
        guard !pipe.isClosed else {
            throw AerieError(.inputOutput, asked: "sending input", found: "the session is closed")
        }
        try await input.send(bytes)
    }

    /// Types a text, as `send(_:)`.
    public func send(_ text: String) async throws(AerieError) { try await send(Array(text.utf8)) }

    /// Ends the session. Its output ends, too.
    public func close() {
        pipe.close()
        onClose()
    }
}

/// The host side of a character device: a terminal, a pipe, a socket, a buffer in a test.
///
/// Neither direction blocks: a vCPU's thread or the event loop is the caller. Input is pulled, so that nothing is lost when the
/// guest is slow: the device takes as much as it has room for. Output is taken as far as the channel's bounded queue has
/// room; the device keeps the rest and holds its guest up by the flow control of its own kind.
package protocol CharacterChannel: AnyObject, Sendable {
    /// Takes up to `limit` bytes of waiting input without blocking; empty when there is none now.
    func read(limit: Int) -> [UInt8]

    /// Takes guest output, without blocking, from the start of `bytes`.
    ///
    /// - Returns: how many bytes were taken. After fewer than all of them, the handler is called when there is room again.
    func write(_ bytes: [UInt8]) -> Int

    /// Registers what to call, on any thread, when `read` has something new, `windowSize` has changed, or `write` has room
    /// again. At most one; nil removes it. When the call returns, the handler that it replaces does not run any more,
    /// unless the handler itself makes the call.
    func setHandler(_ handler: (@Sendable () -> Void)?)

    /// Columns and rows of the terminal behind the channel; nil when it is none.
    var windowSize: (columns: UInt16, rows: UInt16)? { get }
}

/// The host side of a character device: a terminal, a pipe, a socket, a buffer in a test.
///
/// Input is pulled, so that nothing is lost when the guest is slow: the device takes as much as it has room for.
package protocol CharacterChannel: AnyObject, Sendable {
    /// Takes up to `limit` bytes of waiting input without blocking; empty when there is none now.
    func read(limit: Int) -> [UInt8]

    /// Passes guest output to the host. It may block a little when the host is slow, but never for input.
    func write(_ bytes: [UInt8])

    /// Registers what to call, on any thread, when `read` has something new or `windowSize` has changed. At most one; nil
    /// removes it.
    func setInputHandler(_ handler: (@Sendable () -> Void)?)

    /// Columns and rows of the terminal behind the channel; nil when it is none.
    var windowSize: (columns: UInt16, rows: UInt16)? { get }
}

internal import Machine

/// The host side of a guest's console: a terminal, a pipe, a socket, a buffer in a test.
///
/// Input is pulled, so that nothing is lost when the guest is slow: its console takes as much as it has room for.
/// Every requirement is called on any thread.
public protocol ConsoleChannel: AnyObject, Sendable {
    /// Takes up to `limit` bytes of waiting input without blocking; empty when there is none now.
    func read(limit: Int) -> [UInt8]

    /// Passes guest output to the host. It may wait for a slow host, but never for input.
    func write(_ bytes: [UInt8])

    /// Registers what to call, on any thread, when `read` has something new or `windowSize` has changed. At most one; nil
    /// removes it.
    func setInputHandler(_ handler: (@Sendable () -> Void)?)

    /// Columns and rows of the terminal behind the channel; nil when it is none.
    var windowSize: (columns: UInt16, rows: UInt16)? { get }
}

/// Shows a public console to the machine's devices.
final class ConsoleBridge: CharacterChannel {
    private let console: any ConsoleChannel

    init(_ console: any ConsoleChannel) {
        self.console = console
    }

    func read(limit: Int) -> [UInt8] { console.read(limit: limit) }
    func write(_ bytes: [UInt8]) { console.write(bytes) }
    func setInputHandler(_ handler: (@Sendable () -> Void)?) { console.setInputHandler(handler) }
    var windowSize: (columns: UInt16, rows: UInt16)? { console.windowSize }
}

internal import Machine

/// The host side of a guest's console: a terminal, a pipe, a socket, a buffer in a test.
///
/// Input is pulled, so that nothing is lost when the guest is slow: its console takes as much as it has room for. Output
/// is taken as far as the channel's bounded queue has room; the guest's console keeps the rest and holds the guest up.
/// Every requirement is called on any thread and must not block: a vCPU may be the caller.
public protocol ConsoleChannel: AnyObject, Sendable {
    /// Takes up to `limit` bytes of waiting input without blocking; empty when there is none now.
    func read(limit: Int) -> [UInt8]

    /// Takes guest output, without blocking, from the start of `bytes`.
    ///
    /// - Returns: the number of bytes taken. If it is less than all, the handler is called when there is room again.
    func write(_ bytes: [UInt8]) -> Int

    /// Sets the machine's handler; nil removes it. Call it, on any thread, when `read` has new input, `windowSize` has changed,
    /// or `write` has room again. When this method returns, the previous handler is not running, unless that handler itself
    /// made the call.
    func setHandler(_ handler: (@Sendable () -> Void)?)

    /// Columns and rows of the terminal behind the channel; nil when it is not a terminal.
    var windowSize: (columns: UInt16, rows: UInt16)? { get }
}

/// Adapts a public console to the devices' protocol, and tells the guest's agent the size of its window: a serial port cannot.
final class ConsoleBridge: CharacterChannel {
    private let console: any ConsoleChannel
    private let control: ControlChannel

    init(_ console: any ConsoleChannel, _ control: ControlChannel) {
        self.console = console
        self.control = control
    }

    func read(limit: Int) -> [UInt8] { console.read(limit: limit) }
    func write(_ bytes: [UInt8]) -> Int { console.write(bytes) }

    func setHandler(_ handler: (@Sendable () -> Void)?) {
        guard let handler else { return console.setHandler(nil) }
        console.setHandler { [weak self] in
            handler()
            self?.tellWindowSize()
        }
        tellWindowSize()
    }

    private func tellWindowSize() {
        if let (columns, rows) = windowSize { control.tellWindow(rows: rows, columns: columns) }
    }

    var windowSize: (columns: UInt16, rows: UInt16)? { console.windowSize }
}

internal import CRuntime

/// The terminal's settings in the hands of a monitor: they come back also when the machine's process, which changes them, is killed, and
/// when the monitor itself crashes.
package enum TerminalGuard {
    /// Remembers the settings of the terminal on standard input, if it is one. Before the machine's process is started.
    package static func begin() { aerie_terminal_guard() }

    /// Puts the settings back.
    package static func end() { aerie_terminal_put_back() }
}

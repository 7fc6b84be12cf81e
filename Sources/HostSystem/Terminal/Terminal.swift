internal import CLinux
internal import Glibc

/// The terminal that this process was started on, if any.
package enum Terminal {
    /// Whether the open descriptor is a terminal.
    package static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Whether standard input and output are terminals.
    package static var areStandardStreams: Bool { isTerminal(STDIN_FILENO) && isTerminal(STDOUT_FILENO) }

    /// Columns and rows; nil when the descriptor is not a terminal or does not know.
    package static func windowSize(_ descriptor: Int32) -> (columns: UInt16, rows: UInt16)? {
        var columns: UInt16 = 0
        var rows: UInt16 = 0
        return aerie_terminal_size(descriptor, &columns, &rows) ? (columns, rows) : nil
    }

    /// Switches `input` to raw mode: every key goes to the reader, nothing is echoed or translated.
    ///
    /// The settings come back at exit, when the process crashes, while it is stopped, and with `restore`. What ends a
    /// process without a chance to do anything (SIGKILL) leaves the terminal raw.
    package static func enterRawMode(input: Int32, output: Int32) throws(SystemError) {
        _ = try checked("tcsetattr") { aerie_terminal_enter_raw(input, output) }
    }

    /// Puts the terminal back as it was before `enterRawMode`; harmless at any time, on any thread.
    package static func restore() { aerie_terminal_restore() }

    /// Tells that output changed more than text on the screen, so that `restore` undoes that as well.
    package static func noteEscapeSequence() { aerie_terminal_saw_escape_sequence() }
}

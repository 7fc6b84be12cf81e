/// The size of a terminal's window, in characters.
public struct TerminalSize: Equatable, Sendable {
    /// Zero stands for 80.
    public var columns: UInt16
    /// Zero stands for 24.
    public var rows: UInt16

    /// A window of this size.
    public init(columns: UInt16 = 80, rows: UInt16 = 24) {
        self.columns = columns
        self.rows = rows
    }
}

/// Lines of cells in columns, as wide as they need to be.
package struct TextTable {
    /// The place of cells in a column.
    package struct Column: Sendable {
        fileprivate let isRight: Bool
        fileprivate let minimum: Int

        /// Cells begin at the column's left edge.
        ///
        /// - Parameter minimum: the column's least width in characters.
        package static func left(_ minimum: Int = 0) -> Column { Column(isRight: false, minimum: minimum) }

        /// Cells end at the column's right edge.
        package static func right(_ minimum: Int = 0) -> Column { Column(isRight: true, minimum: minimum) }
    }

    private let columns: [Column]
    private let spacing: Int
    private var rows: [(cells: [String], note: String)] = []

    /// - Parameters:
    ///   - columns: the last one stands for all behind it.
    ///   - spacing: characters between columns.
    package init(_ columns: [Column] = [.left()], spacing: Int = 2) {
        precondition(!columns.isEmpty, "a table has a column")
        self.columns = columns
        self.spacing = spacing
    }

    /// A table of left-aligned cells.
    package init(titles: [String] = [], rows: [[String]]) {
        self.init()
        if !titles.isEmpty { add(titles) }
        for row in rows { add(row) }
    }

    /// Adds a line. A line of one cell is text that makes no column wider.
    ///
    /// - Parameter note: follows the last cell, aligned with nothing.
    package mutating func add(_ cells: [String], note: String = "") {
        rows.append((cells, note))
    }

    package var lines: [String] {
        let count = rows.map(\.cells.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.reduce(self.column(column).minimum) { width, row in
                row.cells.count > 1 && column < row.cells.count ? max(width, row.cells[column].count) : width
            }
        }
        return rows.map { row in
            let cells = row.cells.enumerated().map { index, cell in
                let space = String(repeating: " ", count: max(0, widths[index] - cell.count))
                return column(index).isRight ? space + cell : cell + space
            }
            var line = cells.joined(separator: String(repeating: " ", count: spacing))
            if !row.note.isEmpty { line += "   " + row.note }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    package var text: String { lines.joined(separator: "\n") }

    private func column(_ index: Int) -> Column { columns[min(index, columns.count - 1)] }
}

internal import Foundation

/// Columns of text for people, as wide as they need to be.
struct TextTable {
    let titles: [String]
    let rows: [[String]]

    var lines: [String] {
        let all = titles.isEmpty ? rows : [titles] + rows
        let columns = all.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in all.map { $0.indices.contains(column) ? $0[column].count : 0 }.max()!
        }
        return all.map { row in
            // The last column ends where its text ends.
            zip(row, widths).enumerated().map { index, cell in
                index == row.count - 1 ? cell.0 : cell.0.padding(toLength: cell.1, withPad: " ", startingAt: 0)
            }.joined(separator: "  ")
        }
    }

    func print() {
        for line in lines { Swift.print(line) }
    }
}

/// Sizes for people: three figures or so, and a unit.
enum HumanSize {
    static func text(_ bytes: UInt64) -> String {
        let units = ["B", "K", "M", "G", "T"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024 && unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 || value >= 100
            ? "\(Int(value.rounded()))\(units[unit])" : String(format: "%.1f", value) + units[unit]
    }
}

import Foundation
import TextTables

/// The results of `hypervisor`.
struct HypervisorReport: Report {
    struct Row: Encodable {
        let name: String
        let value: Double
        /// What the value must be: at most this, or a range.
        let limit: String

        init(_ name: String, _ value: Double, limit: String) {
            (self.name, self.value, self.limit) = (name, value, limit)
        }
    }

    let rows: [Row]

    func text() -> String {
        var table = TextTable([.left(27), .right(9), .right(14)], spacing: 1)
        table.add(["The hypervisor on Aerie", "value", "limit"])
        for row in rows {
            table.add([row.name, String(format: row.value < 10 ? "%.2f" : "%.1f", row.value), row.limit])
        }
        return table.text
    }
}

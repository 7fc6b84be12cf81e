import Foundation
import TextTables

/// Lines of a name, the host's figure and one figure for each machine.
extension TextTable {
    static var measurements: TextTable { TextTable([.left(23), .right(9), .right(17)], spacing: 1) }

    mutating func add(_ name: String, _ native: String = "", _ cells: [String] = [], note: String = "") {
        add(native.isEmpty && cells.isEmpty ? [name] : [name, native] + cells, note: note)
    }

    func seconds(_ value: Double) -> String { String(format: "%.3f", value) }
    func ratio(_ value: Double) -> String { String(format: "%.2f", value) }
}

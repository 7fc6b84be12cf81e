import Foundation

/// Lines of a name, the host's figure and one figure for each machine.
struct TextTable {
    private var lines: [String] = []

    var text: String { lines.joined(separator: "\n") }

    mutating func add(_ name: String, _ native: String = "", _ cells: [String] = [], note: String = "") {
        var line = name + String(repeating: " ", count: max(1, 24 - name.count)) + pad(native, 9)
        line += cells.map { pad($0, 18) }.joined()
        if !note.isEmpty { line += "   \(note)" }
        while line.last == " " { line.removeLast() }
        lines.append(line)
    }

    func seconds(_ value: Double) -> String { String(format: "%.3f", value) }
    func ratio(_ value: Double) -> String { String(format: "%.2f", value) }

    private func pad(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

import Foundation

/// The results of a benchmark, as text for people and as JSON for programs.
protocol Report: Encodable {
    /// A table.
    func text() -> String
}

extension Report {
    /// The report as indented JSON with keys in a fixed order.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

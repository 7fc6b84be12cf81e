internal import Foundation

/// The inputs that are kept for a target: seeds that reach its parts, and what fuzzers found.
package enum Corpus {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpora")

    /// The names and contents of a target's inputs, by name.
    package static func inputs(of target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let directory = directory.appending(path: target.rawValue)
        return try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().map { name in
            (name, [UInt8](try Data(contentsOf: directory.appending(path: name))))
        }
    }
}

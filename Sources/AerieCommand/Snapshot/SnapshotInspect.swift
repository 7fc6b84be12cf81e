internal import ArgumentParser
internal import ControlAPI
internal import Foundation
internal import Runtime

struct SnapshotInspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Print everything that is known of snapshots, as JSON.",
        discussion: """
            Example:
              aerie snapshot inspect before-upgrade
            """)

    @Argument(help: ArgumentHelp("Names or IDs of snapshots; the beginning of an ID is enough.", valueName: "snapshot"))
    var names: [String]
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let store = try userSnapshots()
        let tree = SnapshotTree(store.snapshots())
        let values = try names.map { name in
            let snapshot = try store.find(name)
            return JSONValue.object([
                "record": try JSONValue(encoding: snapshot.record), "directory": .string(snapshot.directory),
                "parent": tree.parent(of: snapshot).map { .string($0) } ?? .null,
            ])
        }
        print(try JSONValue.array(values).indentedText())
    }
}

extension JSONValue {
    /// Indented as the other verbs' output.
    func indentedText() throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(text))
        let text = try JSONSerialization.data(
            withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return String(decoding: text, as: UTF8.self)
    }
}

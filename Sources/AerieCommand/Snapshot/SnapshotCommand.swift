internal import Aerie
internal import ArgumentParser
internal import Runtime

/// The snapshots of the user who runs this program.
func userSnapshots() throws(AerieError) -> SnapshotStore { SnapshotStore(beside: try userMachines()) }

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Make, list, check, move and remove snapshots of machines.",
        subcommands: [
            SnapshotCreate.self, SnapshotList.self, SnapshotInspect.self, SnapshotCheck.self, SnapshotRemove.self,
            SnapshotExportCommand.self, SnapshotImportCommand.self,
        ])
}

/// The snapshots that a verb is about.
struct SnapshotSelection: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Names or IDs of snapshots; the beginning of an ID is enough.", valueName: "snapshot"))
    var names: [String]

    /// Calls `body` for each snapshot, as `forEachName`.
    func forEach(_ body: (Snapshot) throws -> Void) throws {
        let store = try userSnapshots()
        try forEachName(names, name: { $0 }) { try body(try store.find($0)) }
    }
}

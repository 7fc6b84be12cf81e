internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import HostSystem
internal import Runtime

/// The snapshots of the user who runs this program.
func userSnapshots() throws(AerieError) -> SnapshotStore { SnapshotStore(beside: try userMachines()) }

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Make, list, check and remove snapshots of machines.",
        subcommands: [
            SnapshotCreate.self, SnapshotList.self, SnapshotInspect.self, SnapshotCheck.self, SnapshotRemove.self,
        ])
}

/// The snapshots that a verb is about.
struct SnapshotSelection: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Names or IDs of snapshots; the beginning of an ID is enough.", valueName: "snapshot"))
    var names: [String]

    /// Calls `body` for each snapshot and prints the name when it has succeeded. Failures are reported at once, and the first one's code
    /// is the program's.
    func forEach(_ body: (Snapshot) throws -> Void) throws {
        let store = try userSnapshots()
        var code: Int32 = 0
        for name in names {
            do {
                try body(try store.find(name))
                print(name)
            } catch {
                let failure = Failure(error)
                if code == 0 { code = failure.code }
                StandardError.write("aerie: \(failure.message)\n")
            }
        }
        if code != 0 { throw ExitCode(code) }
    }
}

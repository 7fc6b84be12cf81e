internal import Aerie
internal import ArgumentParser

/// What `aerie run` has to do with snapshots.
struct RunSnapshotOptions: ParsableArguments {
    @Flag(help: "Boot for COMMAND, and do not go on from a snapshot of the image just before its first command.")
    var noSnapshot = false

    @Option(help: ArgumentHelp("Go on from this snapshot of a machine.", valueName: "snapshot"))
    var from: String?

    @Flag(
        help: ArgumentHelp(
            "Make a snapshot before this program ends the guest; --snapshot-on-exit=NAME gives it a name (default: the machine's, and a number)."
        ))
    var snapshotOnExit = false

    /// `RunWords` makes this of `--snapshot-on-exit=NAME`: the parser knows no values that may be missing.
    @Option(help: .hidden)
    var snapshotName: String?

    /// - Throws: a usage error for a machine in the background, or a name that is taken.
    func exitSnapshot(isDetached: Bool) throws(AerieError) -> ExitSnapshot? {
        guard snapshotOnExit || snapshotName != nil else { return nil }
        guard !isDetached else {
            throw AerieError(
                .usage, asked: "--snapshot-on-exit", found: "the machine runs in the background",
                advice: "use 'aerie snapshot create' when it has come as far")
        }
        return try ExitSnapshot(name: snapshotName)
    }
}

internal import Aerie
internal import ControlAPI
internal import HostSystem
internal import Runtime

/// The snapshot of `--snapshot-on-exit`: made once, of a machine that runs or of the disk of one that has ended.
final class ExitSnapshot: Sendable {
    private let name: String?
    private let isMade = Monitor(false)

    /// - Parameter name: nil for the machine's, and a number.
    /// - Throws: `usage` when a snapshot of this name is there already: better now than when the guest's work is done.
    init(name: String?) throws(AerieError) {
        self.name = name
        try userSnapshots().checkName(name)
    }

    func makeUnlessMade(of machine: Machine) throws {
        try isMade.withLock { isMade in
            guard !isMade else { return }
            let snapshot = try userSnapshots().create(name: name, of: machine.record) { work in
                try SnapshotFiles.save(machine, to: work)
            }
            isMade = true
            StandardError.write("aerie: made snapshot '\(snapshot.record.name)'\n")
        }
    }
}

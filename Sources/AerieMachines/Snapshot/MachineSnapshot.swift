internal import ControlAPI
internal import Runtime

/// A saved machine: vCPUs, memory, devices and its disk, or the disk alone of a machine that did not run.
///
/// Nothing in a snapshot changes. Machines that go on from it keep what they need when it is removed.
public struct MachineSnapshot: Sendable {
    let snapshot: Snapshot
    let store: MachineStore

    /// The snapshot's ID: 12 hexadecimal digits.
    public var id: String { snapshot.record.id }
    /// The snapshot's name.
    public var name: String { snapshot.record.name }
    /// The name of the machine that was saved.
    public var machineName: String { snapshot.record.machine.name }
    /// Whether a restored guest goes on where it was; otherwise it boots.
    public var hasState: Bool { snapshot.record.hasState }

    /// Makes a machine that goes on from the snapshot, and returns when its guest runs.
    ///
    /// A guest with an agent is somebody else then: it has the right time, new random numbers, a host name and machine ID of its own.
    ///
    /// - Parameter name: the new machine's name; nil for two words that are made up.
    /// - Throws: `usage` for a name that is taken, `badInput` for a damaged snapshot, and the errors of `JailedMachine.start`.
    public func restore(as name: String? = nil) async throws(AerieError) -> JailedMachine {
        try await BlockingWork.run("restore") { () throws(AerieError) in
            try AerieError.wrapping("restoring snapshot '\(self.name)'") {
                let restoring = SnapshotRestoring(
                    snapshot: snapshot, directory: store.directory, starter: try store.starter())
                return JailedMachine(try restoring.start(name: name), in: store)
            }
        }
    }

    /// Removes the snapshot.
    public func remove() async throws(AerieError) {
        try await BlockingWork.run("snapshot-rm") { () throws(AerieError) in try store.snapshotStore.remove(snapshot) }
    }
}

extension MachineStore {
    /// All snapshots, by their age.
    public func snapshots() async throws(AerieError) -> [MachineSnapshot] {
        try await BlockingWork.run("snapshots") {
            snapshotStore.snapshots().map { MachineSnapshot(snapshot: $0, store: self) }
        }
    }

    /// The snapshot with a name, an ID, or an ID that begins so.
    ///
    /// - Throws: `usage` when there is none or more than one, `badInput` for one that cannot be read.
    public func snapshot(_ name: String) async throws(AerieError) -> MachineSnapshot {
        try await BlockingWork.run("snapshot") { () throws(AerieError) in
            MachineSnapshot(snapshot: try snapshotStore.find(name), store: self)
        }
    }
}

extension JailedMachine {
    /// The valid numbers of copies of `fork`.
    public static var forkCounts: ClosedRange<Int> { MachineFork.counts }

    /// Saves the machine. One that runs goes on meanwhile, and stands still for a moment at the end; of one that does not run, the disk is saved.
    ///
    /// Further disks of the configuration and shared folders are not a part of the snapshot.
    ///
    /// - Parameter name: the snapshot's name; nil for the machine's name and a number.
    /// - Throws: `usage` for a name that is taken, and `notStarted` when the host cannot store the files; the machine is unharmed.
    public func snapshot(as name: String? = nil) async throws(AerieError) -> MachineSnapshot {
        try await work("snapshot") { [machine, store] in
            let snapshot = try store.snapshotStore.create(name: name, of: machine.record) { work in
                try SnapshotFiles.save(machine, to: work)
            }
            return MachineSnapshot(snapshot: snapshot, store: store)
        }
    }

    /// Makes running copies of the machine, which goes on. Copies share its memory and disk until they write, and have no published ports.
    ///
    /// - Parameters:
    ///   - count: how many copies: in `forkCounts`, 1 to 1000.
    ///   - prefix: the copies' names are this, a hyphen and a number; nil for the machine's name.
    /// - Returns: the copies, which are machines that are kept.
    /// - Throws: `usage` when the machine does not run, and the errors of `MachineSnapshot.restore`. Copies that were made before an error stay.
    public func fork(_ count: Int = 1, prefix: String? = nil) async throws(AerieError) -> [JailedMachine] {
        guard Self.forkCounts.contains(count) else {
            throw AerieError(
                .usage, asked: "\(count) copies of machine '\(name)'", found: "a fork makes 1 to 1000 copies",
                advice: "choose a number in this range")
        }
        return try await work("fork") { [machine, store] in
            var copies: [JailedMachine] = []
            try MachineFork(machine: machine, starter: try store.starter()).run(count: count, prefix: prefix) {
                copies.append(JailedMachine($0, in: store))
            }
            return copies
        }
    }
}

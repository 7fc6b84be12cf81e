package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// The snapshots of a user: `$XDG_STATE_HOME/aerie/snapshots`, with a directory for each snapshot, named by its ID.
///
/// A snapshot appears by a rename, when all of it is on disk (`RecordDirectory`).
package struct SnapshotStore: Sendable {
    /// `…/aerie/snapshots`.
    package let path: String
    private var records: RecordDirectory { RecordDirectory(path: path) }

    /// The store beside a directory of machines.
    package init(beside machines: StateDirectory) {
        let parent = machines.path.split(separator: "/").dropLast().joined(separator: "/")
        path = "/\(parent)/snapshots"
    }

    /// All snapshots by their age. Damaged ones are left out, and copies of others' directories.
    package func snapshots() -> [Snapshot] {
        records.entries.compactMap { try? snapshot(in: $0) }
            .sorted { ($0.record.created, $0.record.id) < ($1.record.created, $1.record.id) }
    }

    private func snapshot(in id: String) throws(AerieError) -> Snapshot {
        let snapshot = try Snapshot(directory: records.entry(id))
        try records.check(id, isThatOf: snapshot.record.id, kind: "snapshot")
        return snapshot
    }

    /// The snapshot with this name, this ID, or an ID that begins so.
    ///
    /// - Throws: `usage` when there is none or more than one; `badInput` for one that cannot be read.
    package func find(_ name: String) throws(AerieError) -> Snapshot {
        let all = snapshots()
        if let snapshot = all.first(where: { $0.record.name == name }) { return snapshot }
        let found = name.isEmpty ? [] : all.filter { $0.record.id.hasPrefix(name) }
        if found.count == 1 { return found[0] }
        if MachineNames.isID(name), access(records.entry(name), F_OK) == 0 {
            return try snapshot(in: name)
        }
        throw AerieError(
            .usage, asked: "snapshot '\(name)'",
            found: found.isEmpty ? "there is none of this name" : "\(found.count) IDs begin so",
            advice: found.isEmpty ? "'aerie snapshot ls' lists them" : "use more of its digits, or the name")
    }

    /// Adds a snapshot that `prepare` has completed. Its memory becomes an incremental one of the snapshot that it descends from, if there is
    /// such.
    ///
    /// - Parameters:
    ///   - name: nil for `MACHINE-N` with the first number that is free.
    ///   - isFull: keeps all of the memory in a file of its own.
    ///   - prepare: fills the directory `work`, whose files nobody changes afterwards.
    /// - Throws: `usage` when the name is taken; errors of files.
    package func create(
        name: String?, of machine: MachineRecord, isFull: Bool = false, _ prepare: (_ work: String) throws -> Void
    ) throws -> Snapshot {
        try checkName(name)
        return try records.withNewEntry { id, work in
            let descent = descent(of: machine)
            try prepare(work)
            var layers: [SnapshotRecord.Layer]?
            if !isFull, access("\(work)/\(Snapshot.memoryName)", F_OK) == 0, let earlier = memory(of: descent) {
                let increment = SnapshotIncrement(work: work, earlier: earlier)
                layers = try increment.make()
                if layers != nil { increment.shareCode() }
            }
            try Self.synchronizeAll(in: work)
            try records.locked { () throws in
                records.removeLeftovers(except: work)
                try checkName(name)
                var record = SnapshotRecord(
                    id: id, name: name ?? newName(for: machine.name), created: HostClock.realtime(), machine: machine)
                (record.descent, record.layers) = (descent, layers)
                try Self.write(record, in: work, isDurable: true)
                unlink("\(work)/\(Machine.lockName)")
                try records.publish(work, as: id)
                try Self.synchronize(path, O_DIRECTORY)
            }
            return try Snapshot(directory: records.entry(id))
        }
    }

    /// Makes a snapshot that nobody else sees, and that goes away with the call.
    ///
    /// - Parameter prepare: as of `create`.
    package func withTemporary<Prepared, Result>(
        of machine: MachineRecord, _ prepare: (_ work: String) throws -> Prepared,
        _ body: (Snapshot, Prepared) throws -> Result
    ) throws -> Result {
        try records.withNewEntry { id, work in
            try records.locked { records.removeLeftovers(except: work) }
            let prepared = try prepare(work)
            var record = SnapshotRecord(id: id, name: id, created: HostClock.realtime(), machine: machine)
            record.descent = descent(of: machine)
            try Self.write(record, in: work, isDurable: false)
            return try body(try Snapshot(directory: work), prepared)
        }
    }

    /// The descent of a machine's next snapshot: the newest one that there is of it, or else the one that it was restored from.
    private func descent(of machine: MachineRecord) -> [String] {
        snapshots().last { $0.record.machine.id == machine.id }?.descentOfNext ?? machine.descent ?? []
    }

    /// The nearest snapshot with a memory.
    private func memory(of descent: [String]) -> Snapshot? {
        descent.lazy.compactMap { try? Snapshot(directory: records.entry($0)) }.first { $0.record.hasState }
    }

    private static func write(_ record: SnapshotRecord, in work: String, isDurable: Bool) throws {
        var record = record
        let memory = "\(work)/\(Snapshot.memoryName)"
        if access(memory, F_OK) == 0 { record.memory = try SnapshotRecord.Stamp(file: memory) }
        record.code = try? SnapshotRecord.Stamp(file: "\(work)/\(Snapshot.codeName)")
        try Machine.replace(
            "\(work)/\(Snapshot.recordName)", with: JSONValue(encoding: record).text + [0x0A], isDurable: isDurable)
    }

    /// Removes a snapshot. Machines that go on from it, and snapshots that are incremental to it, have links of their own to its files.
    package func remove(_ snapshot: Snapshot) throws(AerieError) { try records.remove(snapshot.record.id) }

    /// Whether a new snapshot can have a name; nil for one that is made up.
    ///
    /// - Throws: `usage` when it is not valid, or taken.
    package func checkName(_ name: String?) throws(AerieError) {
        guard let name else { return }
        try MachineNames.check(name)
        guard snapshots().contains(where: { $0.record.name == name }) else { return }
        throw AerieError(
            .usage, asked: "a snapshot named '\(name)'", found: "there is one already",
            advice: "choose another name, or remove it with 'aerie snapshot rm \(name)'")
    }

    private func newName(for machine: String) -> String {
        let taken = Set(snapshots().map(\.record.name))
        var number = 1
        // A machine's name may be as long as a snapshot's.
        while taken.contains("\(machine.prefix(50))-\(number)") { number += 1 }
        return "\(machine.prefix(50))-\(number)"
    }

    private static func synchronizeAll(in directory: String) throws(AerieError) {
        for name in directoryNames(directory) { try synchronize("\(directory)/\(name)", O_NOFOLLOW) }
        try synchronize(directory, O_DIRECTORY)
    }

    private static func synchronize(_ path: String, _ flags: Int32) throws(AerieError) {
        do throws(SystemError) {
            try FileDescriptor.synchronize(path: path, flags: flags)
        } catch { throw AerieError(.inputOutput, asked: "a snapshot", found: error.description) }
    }
}

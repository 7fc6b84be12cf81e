internal import CRuntime
package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// The snapshots of a user: `$XDG_STATE_HOME/aerie/snapshots`, with a directory for each snapshot, named by its ID.
///
/// A snapshot appears by a rename, when all of it is on disk. What a process leaves that was killed before begins with a dot, and the next
/// change removes it.
package struct SnapshotStore: Sendable {
    /// `…/aerie/snapshots`.
    package let path: String

    /// The store beside a directory of machines.
    package init(beside machines: StateDirectory) {
        let parent = machines.path.split(separator: "/").dropLast().joined(separator: "/")
        path = "/\(parent)/snapshots"
    }

    /// All snapshots by their age. Damaged ones are left out.
    package func snapshots() -> [Snapshot] {
        Snapshot.names(in: path).filter { !$0.hasPrefix(".") }.compactMap { try? Snapshot(directory: "\(path)/\($0)") }
            .sorted { ($0.record.created, $0.record.id) < ($1.record.created, $1.record.id) }
    }

    /// The snapshot with this name, this ID, or an ID that begins so.
    ///
    /// - Throws: `usage` when there is none or more than one; `badInput` for one that cannot be read.
    package func find(_ name: String) throws(AerieError) -> Snapshot {
        let all = snapshots()
        if let snapshot = all.first(where: { $0.record.name == name }) { return snapshot }
        let found = name.isEmpty ? [] : all.filter { $0.record.id.hasPrefix(name) }
        if found.count == 1 { return found[0] }
        if MachineNames.isID(name), access("\(path)/\(name)", F_OK) == 0 {
            return try Snapshot(directory: "\(path)/\(name)")
        }
        throw AerieError(
            .usage, asked: "snapshot '\(name)'",
            found: found.isEmpty ? "there is none of this name" : "\(found.count) IDs begin so",
            advice: found.isEmpty ? "'aerie snapshot ls' lists them" : "use more of its digits, or the name")
    }

    /// Adds a snapshot that `prepare` has completed.
    ///
    /// - Parameters:
    ///   - name: nil for `MACHINE-N` with the first number that is free.
    ///   - isDurable: whether it survives a loss of the host's power from here on.
    ///   - prepare: fills the directory `work`, whose files nobody changes afterwards.
    /// - Throws: `usage` when the name is taken; errors of files.
    package func create(
        name: String?, of machine: MachineRecord, isDurable: Bool, _ prepare: (_ work: String) throws -> Void
    ) throws -> Snapshot {
        if let name { try MachineNames.check(name) }
        return try inWorkDirectory { id, work in
            try checkName(name)
            try prepare(work)
            if isDurable { try Self.synchronize(work) }
            try locked { () throws in
                removeLeftovers(except: work)
                try checkName(name)
                let record = SnapshotRecord(
                    id: id, name: name ?? newName(for: machine.name), created: HostClock.realtime(), machine: machine)
                try Self.write(record, in: work, isDurable: isDurable)
                unlink("\(work)/\(Machine.lockName)")
                try StateDirectory.calling("rename \(work)") { Glibc.rename(work, "\(path)/\(id)") }
                if isDurable { try Self.synchronizeDirectory(path) }
            }
            return try Snapshot(directory: "\(path)/\(id)")
        }
    }

    /// Makes a snapshot that nobody else sees, and that goes away with the call.
    ///
    /// - Parameter prepare: as of `create`.
    package func withTemporary<Result>(
        of machine: MachineRecord, _ prepare: (_ work: String) throws -> Void, _ body: (Snapshot) throws -> Result
    ) throws -> Result {
        try inWorkDirectory { id, work in
            try locked { removeLeftovers(except: work) }
            try prepare(work)
            let record = SnapshotRecord(id: id, name: id, created: HostClock.realtime(), machine: machine)
            try Self.write(record, in: work, isDurable: false)
            return try body(try Snapshot(directory: work))
        }
    }

    /// Calls `body` with a new ID, and a directory that is removed if it is still there afterwards. Whoever clears up leaves it alone.
    private func inWorkDirectory<Result>(_ body: (_ id: String, _ work: String) throws -> Result) throws -> Result {
        try StateDirectory.makeDirectories(path)
        let id = try MachineNames.newID()
        let work = "\(path)/.new-\(id)"
        try StateDirectory.calling("mkdir \(work)") { mkdir(work, 0o700) }
        defer { _ = aerie_remove_tree(work) }
        let lock = try MachineLock(path: "\(work)/\(Machine.lockName)")
        _ = try lock.take()
        return try withExtendedLifetime(lock) { try body(id, work) }
    }

    private static func write(_ record: SnapshotRecord, in work: String, isDurable: Bool) throws {
        var record = record
        let memory = "\(work)/\(Snapshot.memoryName)"
        if access(memory, F_OK) == 0 { record.memory = try SnapshotRecord.Stamp(file: memory) }
        try Machine.replace(
            "\(work)/\(Snapshot.recordName)", with: JSONValue(encoding: record).text + [0x0A], isDurable: isDurable)
    }

    /// Removes a snapshot. Machines that go on from it keep their files.
    package func remove(_ snapshot: Snapshot) throws(AerieError) {
        let hidden = "\(path)/.removed-\(snapshot.record.id)"
        try StateDirectory.calling("rename \(snapshot.directory)") { Glibc.rename(snapshot.directory, hidden) }
        _ = aerie_remove_tree(hidden)
    }

    private func checkName(_ name: String?) throws(AerieError) {
        guard let name, snapshots().contains(where: { $0.record.name == name }) else { return }
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

    private func removeLeftovers(except work: String) {
        for name in Snapshot.names(in: path) where name.hasPrefix(".new-") || name.hasPrefix(".removed-") {
            let directory = "\(path)/\(name)"
            guard directory != work else { continue }
            if let lock = try? MachineLock(path: "\(directory)/\(Machine.lockName)"), (try? lock.take()) != true {
                continue
            }
            _ = aerie_remove_tree(directory)
        }
    }

    private func locked(_ body: () throws -> Void) throws {
        let lock = try MachineLock(path: "\(path)/.lock")
        try lock.wait()
        try withExtendedLifetime(lock) { try body() }
    }

    private static func synchronize(_ directory: String) throws(AerieError) {
        for name in Snapshot.names(in: directory) {
            do throws(SystemError) {
                try FileDescriptor(path: "\(directory)/\(name)", flags: O_RDONLY | O_NOFOLLOW).synchronize()
            } catch { throw AerieError(.inputOutput, asked: "a snapshot", found: error.description) }
        }
        try synchronizeDirectory(directory)
    }

    private static func synchronizeDirectory(_ path: String) throws(AerieError) {
        do throws(SystemError) {
            try FileDescriptor(path: path, flags: O_RDONLY | O_DIRECTORY).synchronize()
        } catch { throw AerieError(.inputOutput, asked: "a snapshot", found: error.description) }
    }
}

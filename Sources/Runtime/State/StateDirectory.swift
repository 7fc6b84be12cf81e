package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// The machines of a user: `$XDG_STATE_HOME/aerie/machines`, with a directory for each machine, named by its ID.
///
/// There is no daemon. What changes the set of machines or their names holds the lock of the whole directory, for moments
/// (`RecordDirectory`); what runs a machine holds the lock of its directory for as long.
package struct StateDirectory: Sendable {
    /// `…/aerie/machines`.
    package let path: String

    var records: RecordDirectory { RecordDirectory(path: path) }

    package init(path: String) { self.path = path }

    /// `…/aerie`, which has nothing but what is Aerie's.
    var parent: String { OutsideFile.parts(path).directory }

    /// The directory that a machine is in.
    package init(of machine: Machine) { path = machine.parent }

    /// The directory of the user whose environment this is.
    package init(environment: [String: String]) throws(AerieError) {
        guard let state = userDirectory("XDG_STATE_HOME", ".local/state", { environment[$0] }) else {
            throw AerieError(
                .unavailable, asked: "the directory of machines", found: "neither XDG_STATE_HOME nor HOME is set",
                advice: "set HOME to a directory that can be written to")
        }
        path = "\(state)/machines"
    }

    // MARK: Looking

    /// Refuses a directory that this user cannot read.
    package func requireReadable() throws(AerieError) { try records.requireReadable() }

    /// All machines by their age, without those that are being made or removed. Damaged ones are left out.
    package func machines() -> [Machine] {
        records.entries.compactMap { try? machine(in: $0) }
            .sorted { ($0.record.created, $0.record.id) < ($1.record.created, $1.record.id) }
    }

    /// The machine with this name, this ID, or an ID that begins so.
    ///
    /// - Throws: `usage` when there is none or more than one.
    package func find(_ name: String) throws(AerieError) -> Machine {
        // An ID is the directory's name: no other machine need be looked at.
        if MachineNames.isID(name), let machine = try exact(name) { return machine }
        if let machine = machine(named: name) { return machine }
        let found =
            name.isEmpty ? [] : records.entries.filter { $0.hasPrefix(name) }.compactMap { try? machine(in: $0) }
        switch found.count {
        case 1: return found[0]
        case 0:
            if let damaged = try damaged(name) { throw damaged }
            throw AerieError(
                .usage, asked: "machine '\(name)'", found: "there is none of this name",
                advice: "'aerie ps --all' lists the machines")
        default:
            throw AerieError(
                .usage, asked: "machine '\(name)'", found: "\(found.count) IDs begin so",
                advice: "use more of its digits, or the name")
        }
    }

    /// The machine that has a name; nil for none.
    ///
    /// Of the others, the record is only searched for the name's characters: to read what it says takes twenty times as long.
    private func machine(named name: String) -> Machine? {
        guard (try? MachineNames.check(name)) != nil else { return nil }
        // No character of a name has another form in JSON.
        let wanted = "\"\(name)\""
        let candidates = records.entries.filter { id in
            guard let text = try? Machine.readFile("\(path)/\(id)/\(Machine.recordName)") else { return false }
            return (text + [0]).withUnsafeBufferPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self) { strstr($0.baseAddress!, wanted) != nil }
            }
        }
        return candidates.compactMap { try? machine(in: $0) }.filter { $0.record.name == name }
            .min { ($0.record.created, $0.record.id) < ($1.record.created, $1.record.id) }
    }

    private func exact(_ id: String) throws(AerieError) -> Machine? {
        access("\(path)/\(id)/\(Machine.recordName)", F_OK) == 0 ? try machine(in: id) : nil
    }

    private func machine(in id: String) throws(AerieError) -> Machine {
        let machine = try Machine(directory: "\(path)/\(id)")
        try records.check(
            id, isThatOf: machine.record.id, kind: "machine", advice: "; 'aerie clone' copies a machine")
        return machine
    }

    /// The error of a machine of this ID that cannot be read.
    private func damaged(_ id: String) throws(AerieError) -> AerieError? {
        guard MachineNames.isID(id), records.entries.contains(id) else { return nil }
        do throws(AerieError) {
            _ = try machine(in: id)
            return nil
        } catch { return error }
    }

    // MARK: Changing

    /// Takes the lock of a project of machines, and waits for other commands that change the same project.
    ///
    /// - Parameter onWait: called before a wait, which may be long.
    package func lock(project: String, onWait: () -> Void) throws(AerieError) -> MachineLock {
        try records.makeDirectories()
        let lock = try MachineLock(path: "\(path)/.project-\(project)")
        if try lock.take() { return lock }
        onWait()
        try lock.wait()
        return lock
    }

    /// Adds a machine that `prepare` has completed.
    ///
    /// - Parameters:
    ///   - name: nil for a name that is made up.
    ///   - prepare: fills the machine's directory, and returns its record; `directory` is where the files will be in the end, `work` is where
    ///     they are made.
    /// - Throws: `usage` when the name is taken; errors of files.
    package func create(
        name: String?, isDurable: Bool = true,
        _ prepare: (_ id: String, _ name: String, _ work: String, _ directory: String) throws -> MachineRecord
    ) throws -> Machine {
        if let name { try MachineNames.check(name) }
        return try MachineLock.forkGuard.withLock { _ in try make(name: name, isDurable, prepare) }
    }

    private func make(
        name: String?, _ isDurable: Bool,
        _ prepare: (_ id: String, _ name: String, _ work: String, _ directory: String) throws -> MachineRecord
    ) throws -> Machine {
        try records.withNewEntry { id, work in
            try records.locked { () throws -> Machine in
                records.removeLeftovers(except: work)
                if let name { try requireFree(name) }
                let chosen = try name ?? MachineNames.newName { isTaken($0) }
                let record = try prepare(id, chosen, work, records.entry(id))
                return try publish(record, work, isDurable)
            }
        }
    }

    /// Adds a machine whose completion may take long: others can be added meanwhile.
    ///
    /// - Parameter prepare: as of `create(name:_:)`.
    package func create(
        slowly name: String, _ prepare: (_ id: String, _ work: String, _ directory: String) throws -> MachineRecord
    ) throws -> Machine {
        try MachineNames.check(name)
        return try records.withNewEntry { id, work in
            try records.locked {
                records.removeLeftovers(except: work)
                try requireFree(name)
            }
            let record = try prepare(id, work, records.entry(id))
            return try records.locked { () throws -> Machine in
                try requireFree(name)
                return try publish(record, work)
            }
        }
    }

    package func isTaken(_ name: String) -> Bool { machine(named: name) != nil }

    /// - Throws: `usage` when a machine has the name.
    private func requireFree(_ name: String) throws(AerieError) {
        guard isTaken(name) else { return }
        throw AerieError(
            .usage, asked: "a machine named '\(name)'", found: "there is one already",
            advice: "choose another name, or remove it with 'aerie rm \(name)'")
    }

    private func publish(_ record: MachineRecord, _ work: String, _ isDurable: Bool = true) throws -> Machine {
        try Machine.write(record, in: work, isDurable: isDurable)
        try records.publish(work, as: record.id)
        return try Machine(directory: records.entry(record.id))
    }

    /// Gives a machine another name.
    package func rename(_ machine: Machine, to name: String) throws {
        try MachineNames.check(name)
        try records.locked { () throws in
            if let other = self.machine(named: name), other.record.id != machine.record.id {
                throw AerieError(
                    .usage, asked: "the name '\(name)'", found: "another machine has it", advice: "choose another name")
            }
            try machine.changeRecord { $0.name = name }
        }
    }

    /// Changes the addresses and names that a machine's guest has at its next start.
    package func set(_ network: GuestNetwork, of machine: Machine) throws {
        try records.locked { () throws in try machine.changeRecord { $0.network = network } }
    }

    /// Removes a machine that nobody runs, with its disk.
    ///
    /// - Parameter isTakenBack: whether its sender lets it go on: disks that were made for it elsewhere go as well, whatever its status says.
    /// - Throws: `usage` when it runs.
    package func remove(_ machine: Machine, isTakenBack: Bool = false) throws(AerieError) {
        let result: Result<Void, AerieError> = MachineLock.forkGuard.withLock { _ in
            do throws(AerieError) {
                return .success(try removeUnguarded(machine, isTakenBack))
            } catch { return .failure(error) }
        }
        try result.get()
    }

    private func removeUnguarded(_ machine: Machine, _ isTakenBack: Bool) throws(AerieError) {
        let lock = try MachineLock(path: machine.file(Machine.lockName))
        guard try lock.take() else {
            throw AerieError(
                .usage, asked: "removing machine '\(machine.record.name)'", found: "it is running",
                advice: "stop it first, or use 'aerie rm --force'")
        }
        if isTakenBack { ArrivedFiles.remove(of: machine.directory, isTakenBack: true) }
        try Self.removeFiles(of: machine)
    }

    /// Removes a machine's files; the caller holds the machine's lock.
    package static func removeFiles(of machine: Machine) throws(AerieError) {
        // Processes that were killed together have left it.
        MachineShare.end(machine)
        try RecordDirectory(path: machine.parent).remove(machine.record.id)
    }
}

internal import CRuntime
package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// The machines of a user: `$XDG_STATE_HOME/aerie/machines`, with a directory for each machine, named by its ID.
///
/// There is no daemon. What changes the set of machines or their names holds the lock of the whole directory, for moments; what runs a
/// machine holds the lock of its directory for as long. Files appear and change by rename, so that a process which is killed at any point
/// leaves the state of before or of after; what it leaves beside that begins with a dot and is removed by the next change.
package struct StateDirectory: Sendable {
    /// `…/aerie/machines`.
    package let path: String

    package init(path: String) { self.path = path }

    /// The directory that a machine is in.
    package init(of machine: Machine) { path = machine.parent }

    /// The directory of the user whose environment this is.
    package init(environment: [String: String]) throws(AerieError) {
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
            path = "\(state)/aerie/machines"
        } else if let home = environment["HOME"] ?? aerie_home_directory().map({ String(cString: $0) }),
            home.hasPrefix("/")
        {
            path = "\(home)/.local/state/aerie/machines"
        } else {
            throw AerieError(
                .unavailable, asked: "the directory of machines", found: "neither XDG_STATE_HOME nor HOME is set",
                advice: "set HOME to a directory that can be written to")
        }
    }

    // MARK: Looking

    /// All machines by their age, without those that are being made or removed. Damaged ones are left out.
    package func machines() -> [Machine] {
        directoryNames().filter { !$0.hasPrefix(".") }.compactMap { try? Machine(directory: "\(path)/\($0)") }
            .sorted { ($0.record.created, $0.record.id) < ($1.record.created, $1.record.id) }
    }

    /// The machine with this name, this ID, or an ID that begins so.
    ///
    /// - Throws: `usage` when there is none or more than one.
    package func find(_ name: String) throws(AerieError) -> Machine {
        // An ID is the directory's name: no other machine need be looked at.
        if MachineNames.isID(name), let machine = try exact(name) { return machine }
        let all = machines()
        if let machine = all.first(where: { $0.record.name == name }) { return machine }
        let found = name.isEmpty ? [] : all.filter { $0.record.id.hasPrefix(name) }
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

    private func exact(_ id: String) throws(AerieError) -> Machine? {
        access("\(path)/\(id)/\(Machine.recordName)", F_OK) == 0 ? try Machine(directory: "\(path)/\(id)") : nil
    }

    /// The error of a machine of this ID that cannot be read.
    private func damaged(_ id: String) throws(AerieError) -> AerieError? {
        guard MachineNames.isID(id), directoryNames().contains(id) else { return nil }
        do throws(AerieError) {
            _ = try Machine(directory: "\(path)/\(id)")
            return nil
        } catch { return error }
    }

    private func directoryNames() -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names
    }

    // MARK: Changing

    /// Takes the lock of a project of machines, and waits for other commands that change the same project.
    ///
    /// - Parameter onWait: called before a wait, which may be long.
    package func lock(project: String, onWait: () -> Void) throws(AerieError) -> MachineLock {
        try Self.makeDirectories(path)
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
        name: String?,
        _ prepare: (_ id: String, _ name: String, _ work: String, _ directory: String) throws -> MachineRecord
    ) throws -> Machine {
        if let name { try MachineNames.check(name) }
        try Self.makeDirectories(path)
        let id = try MachineNames.newID()
        let work = "\(path)/.new-\(id)"
        try Self.calling("mkdir \(work)") { mkdir(work, 0o700) }
        var isDone = false
        defer { if !isDone { _ = aerie_remove_tree(work) } }
        // Whoever clears up leaves alone what somebody holds.
        let lock = try MachineLock(path: "\(work)/\(Machine.lockName)")
        _ = try lock.take()
        let machine = try locked { () throws -> Machine in
            removeLeftovers(except: work)
            let taken = Set(machines().map(\.record.name))
            if let name, taken.contains(name) {
                throw AerieError(
                    .usage, asked: "a machine named '\(name)'", found: "there is one already",
                    advice: "choose another name, or remove it with 'aerie rm \(name)'")
            }
            let record = try prepare(id, name ?? MachineNames.newName(except: taken), work, "\(path)/\(id)")
            try Machine.write(record, in: work)
            try Self.calling("rename \(work)") { Glibc.rename(work, "\(path)/\(id)") }
            isDone = true
            return try Machine(directory: "\(path)/\(id)")
        }
        return machine
    }

    /// Gives a machine another name.
    package func rename(_ machine: Machine, to name: String) throws {
        try MachineNames.check(name)
        try locked { () throws in
            if machines().contains(where: { $0.record.name == name && $0.record.id != machine.record.id }) {
                throw AerieError(
                    .usage, asked: "the name '\(name)'", found: "another machine has it", advice: "choose another name")
            }
            try machine.changeRecord { $0.name = name }
        }
    }

    /// Removes a machine that nobody runs, with its disk.
    ///
    /// - Throws: `usage` when it runs.
    package func remove(_ machine: Machine) throws(AerieError) {
        let lock = try MachineLock(path: machine.file(Machine.lockName))
        guard try lock.take() else {
            throw AerieError(
                .usage, asked: "removing machine '\(machine.record.name)'", found: "it is running",
                advice: "stop it first, or use 'aerie rm --force'")
        }
        try Self.removeFiles(of: machine)
    }

    /// Removes a machine's files; the caller holds the machine's lock.
    package static func removeFiles(of machine: Machine) throws(AerieError) {
        // Processes that were killed together have left it.
        MachineShare.end(machine)
        let hidden = "\(machine.parent)/.removed-\(machine.record.id)"
        // One step takes the machine away; the rest is rubbish, whatever happens.
        try calling("rename \(machine.directory)") { Glibc.rename(machine.directory, hidden) }
        _ = aerie_remove_tree(hidden)
    }

    private func removeLeftovers(except work: String) {
        for name in directoryNames() where name.hasPrefix(".new-") || name.hasPrefix(".removed-") {
            let directory = "\(path)/\(name)"
            guard directory != work else { continue }
            if let lock = try? MachineLock(path: "\(directory)/\(Machine.lockName)"), (try? lock.take()) != true {
                continue
            }
            _ = aerie_remove_tree(directory)
        }
    }

    private func locked<Result>(_ body: () throws -> Result) throws -> Result {
        let lock = try MachineLock(path: "\(path)/.lock")
        try lock.wait()
        return try withExtendedLifetime(lock) { try body() }
    }

    static func makeDirectories(_ path: String) throws(AerieError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            // What the user shares with others keeps its mode; what is ours is for the user only.
            if mkdir(made, 0o700) == 0 || errno == EEXIST { continue }
            throw AerieError(
                .unavailable, asked: "the directory of machines \(path)",
                found: "\(made) cannot be made: \(String(cString: strerror(errno)))",
                advice: "set XDG_STATE_HOME to a directory that can be written to")
        }
    }

    static func calling(_ call: String, _ body: () -> Int32) throws(AerieError) {
        do throws(SystemError) {
            _ = try checked(call, body)
        } catch {
            throw AerieError(.inputOutput, asked: "the directory of machines", found: error.description)
        }
    }
}

internal import CRuntime
internal import Aerie
internal import Glibc
internal import HostSystem

/// A directory with a directory for each thing of a kind, named by its ID: the machines of a user, or the snapshots.
///
/// What changes the set holds the lock of the whole, for moments. Entries appear and go by a rename, so that a process which is killed at any
/// point leaves the state of before or of after; what it leaves beside that begins with a dot and is removed by the next change.
struct RecordDirectory: Sendable {
    private static let newPrefix = ".new-"
    private static let removedPrefix = ".removed-"

    let path: String

    /// The names of the entries, in no order.
    var entries: [String] { directoryNames(path).filter { !$0.hasPrefix(".") } }

    func entry(_ id: String) -> String { "\(path)/\(id)" }

    /// Refuses an entry whose directory is a copy of another one's.
    ///
    /// - Parameters:
    ///   - entry: the name of an entry.
    ///   - id: the ID in its record.
    ///   - kind: of the entries, in words.
    ///   - advice: follows the advice to remove the entry.
    /// - Throws: `badInput` for the copy of another entry.
    func check(_ entry: String, isThatOf id: String, kind: String, advice: String = "") throws(AerieError) {
        guard entry != id else { return }
        throw AerieError(
            .badInput, asked: "\(kind) \(entry)", found: "its directory is a copy of that of \(kind) \(id)",
            advice: "remove \(self.entry(entry))\(advice)")
    }

    /// Calls `body` with a new ID and a directory for its files, which is removed afterwards unless it was published. Its lock is held
    /// meanwhile, so that whoever clears up leaves it alone.
    func withNewEntry<Result>(_ body: (_ id: String, _ work: String) throws -> Result) throws -> Result {
        try makeDirectories()
        let id = try MachineNames.newID()
        let work = "\(path)/\(Self.newPrefix)\(id)"
        defer { Self.removeTree(work) }
        // Whoever clears up finds it locked, or not at all.
        let lock = try locked {
            try Self.calling("mkdir \(work)") { mkdir(work, 0o700) }
            let lock = try MachineLock(path: "\(work)/\(Machine.lockName)")
            _ = try lock.take()
            return lock
        }
        do {
            return try withExtendedLifetime(lock) { try body(id, work) }
        } catch let error as SystemError where [ENOSPC, EDQUOT].contains(error.code) {
            throw AerieError(
                .inputOutput, asked: "writing to \(path)", found: error.description,
                advice: "make room there, or set XDG_STATE_HOME to a directory of a larger file system")
        }
    }

    /// Refuses a directory that this user cannot read; one that is not there has no entries.
    func requireReadable() throws(AerieError) {
        guard access(path, R_OK | X_OK) != 0, errno != ENOENT else { return }
        throw AerieError(opening: path, .last("access"))
    }

    /// The directories of entries that are being made, or that killed processes have left.
    var unfinished: [String] {
        directoryNames(path).filter { $0.hasPrefix(Self.newPrefix) }.map { "\(path)/\($0)" }
    }

    /// Takes the directory of an entry that is being made away: whoever makes it cannot publish it any more. With the lock.
    func discard(unfinished directory: String) throws(AerieError) {
        let name = directory.split(separator: "/").last.map(String.init) ?? ""
        let hidden = "\(path)/\(Self.removedPrefix)\(name.dropFirst(Self.newPrefix.utf8.count))"
        try Self.calling("rename \(directory)") { rename(directory, hidden) }
        Self.removeTree(hidden)
    }

    /// Removes the directory of an entry, with what was made elsewhere for a machine that has never started.
    private static func removeTree(_ directory: String) {
        ArrivedFiles.remove(of: directory)
        _ = aerie_remove_tree(directory)
    }

    /// Gives a new entry its name.
    func publish(_ work: String, as id: String) throws(AerieError) {
        try Self.calling("rename \(work)") { rename(work, entry(id)) }
    }

    /// Removes an entry.
    func remove(_ id: String) throws(AerieError) {
        let hidden = "\(path)/\(Self.removedPrefix)\(id)"
        // One step takes the entry away; the rest is rubbish, whatever happens.
        try Self.calling("rename \(entry(id))") { rename(entry(id), hidden) }
        Self.removeTree(hidden)
    }

    /// Removes what killed processes have left. With the lock.
    func removeLeftovers(except work: String) {
        for name in directoryNames(path) where name.hasPrefix(Self.newPrefix) || name.hasPrefix(Self.removedPrefix) {
            let directory = "\(path)/\(name)"
            guard directory != work else { continue }
            if let lock = try? MachineLock(path: "\(directory)/\(Machine.lockName)"), (try? lock.take()) != true {
                continue
            }
            Self.removeTree(directory)
        }
    }

    /// Calls `body` with the lock of the whole.
    func locked<Result>(_ body: () throws -> Result) throws -> Result {
        let lock = try MachineLock(path: "\(path)/.lock")
        try lock.wait()
        return try withExtendedLifetime(lock) { try body() }
    }

    func makeDirectories() throws(AerieError) {
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

    private static func calling(_ call: String, _ body: () -> Int32) throws(AerieError) {
        do throws(SystemError) {
            _ = try checked(call, body)
        } catch {
            throw AerieError(.inputOutput, asked: "the directory of machines", found: error.description)
        }
    }
}

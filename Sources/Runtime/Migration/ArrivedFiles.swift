internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The list of the files outside of a machine's directory that were made for it, in its directory until it has started. Whoever removes a
/// machine that has never started removes these as well, and no others.
struct ArrivedFiles: Codable {
    struct Entry: Codable {
        let path: String
        /// A name of its own in the same directory, which nothing else has.
        let temporary: String

        /// Removes the file that was made, under both names. Another file at its path stays.
        func remove(_ made: FileIdentity) {
            if (try? FileIdentity(path: path)) == made { unlink(path) }
            unlink(temporary)
        }
    }

    static let name = "saved.disks"

    let entries: [Entry]

    init(_ paths: [String]) throws(AerieError) {
        var entries: [Entry] = []
        for path in paths {
            let (directory, _) = OutsideFile.parts(path)
            let parent = directory == "/" ? "" : directory
            entries.append(Entry(path: path, temporary: "\(parent)/.aerie-\(try TransferLedger.newName())"))
        }
        self.entries = entries
    }

    func write(in directory: String) throws {
        try Machine.replace("\(directory)/\(Self.name)", with: JSONValue(encoding: self).text, isDurable: true)
    }

    private static func read(_ directory: String) -> ArrivedFiles? {
        guard let bytes = try? Machine.readFile("\(directory)/\(name)") else { return nil }
        return try? JSONValue(parsing: bytes).decode(ArrivedFiles.self)
    }

    /// The machine has started: its disks are the user's from now on.
    static func keep(of directory: String) {
        guard let list = read(directory) else { return }
        for entry in list.entries { unlink(entry.temporary) }
        unlink("\(directory)/\(name)")
    }

    /// Whether the machine of a directory has run, as `TransferLedger` sees it: its guest has written to the files.
    private static func hasRun(_ directory: String) -> Bool {
        let mark = (try? Machine.readFile("\(directory)/\(Machine.arrivalName)"))?.first
        if let mark, mark != Arrival.Mark.prepared.rawValue { return true }
        let status = try? JSONValue(parsing: Machine.readFile("\(directory)/\(Machine.statusName)"))
        return (try? status?.decode(MachineStatus.self))?.started != nil
    }

    /// Removes the files that were made for a machine that has never started. Call before its directory is removed.
    ///
    /// - Parameter isTakenBack: whether the machine counts as one that has never started, whatever its status says.
    static func remove(of directory: String, isTakenBack: Bool = false) {
        guard let list = read(directory) else { return }
        guard isTakenBack || !hasRun(directory) else { return keep(of: directory) }
        for entry in list.entries {
            if let made = try? FileIdentity(path: entry.temporary) { entry.remove(made) }
        }
    }
}

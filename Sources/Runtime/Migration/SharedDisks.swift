internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The list of the disks that a migrated machine and its sender both use, as the sender left them, in the machine's directory until it has started.
enum SharedDisks {
    static let name = "saved.shared"

    /// Looks at the disks, which the sender's machine has closed, and makes the list.
    ///
    /// - Parameters:
    ///   - files: that the guest writes to and that are here, as they were offered.
    ///   - directory: of the machine.
    /// - Throws: `unavailable` for a disk that another file has replaced.
    static func write(_ files: [OutsideFile], in directory: String, _ asked: String) throws {
        guard !files.isEmpty else { return }
        let disks = try files.map { file throws(AerieError) in
            let disk = try HandedOverDisk(at: file.path)
            guard file.isDevice || disk.node == file.node else {
                throw AerieError(
                    .unavailable, asked: asked, found: "another file has replaced its disk \(file.path) meanwhile",
                    advice: "see who has moved the disk")
            }
            return disk
        }
        try Machine.replace("\(directory)/\(name)", with: JSONValue(encoding: disks).text, isDurable: true)
    }

    /// The list of a machine; empty for a machine without one.
    static func read(of machine: Machine) throws(AerieError) -> [HandedOverDisk] {
        let path = machine.file(name)
        guard access(path, F_OK) == 0 else { return [] }
        do {
            return try JSONValue(parsing: Machine.readFile(path)).decode([HandedOverDisk].self)
        } catch {
            throw AerieError(
                .badInput, asked: "the saved state of machine '\(machine.record.name)'",
                found: "its list of disks \(path) cannot be read: \(error)", advice: "remove the machine")
        }
    }
}

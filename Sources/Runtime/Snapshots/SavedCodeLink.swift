internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Generated code for a machine's start: a link in its directory to the file of a snapshot, and what the file has to be, since it executes. A
/// machine that has none, or another file, generates its code anew.
struct SavedCodeLink {
    private let name: String
    private let markName: String

    /// For a machine that goes on from a saved one.
    static let saved = SavedCodeLink(name: Machine.savedCodeName, markName: Machine.savedCodeMarkName)
    /// For one that boots.
    static let boot = SavedCodeLink(name: Machine.bootCodeName, markName: Machine.bootCodeMarkName)

    /// The mark in the machine's directory.
    private struct Mark: Codable {
        var code: SnapshotRecord.Stamp
        /// The run of the host's kernel in which the file was last known to be right. A crash of the host may have damaged what was not on its
        /// storage yet.
        var hostBoot: String
    }

    /// Gives a machine the code, unless its file is not the one that is known, or cannot be linked.
    ///
    /// - Parameters:
    ///   - work: the machine's directory.
    ///   - hostBoot: in which run of the host's kernel the file was known to be right.
    func make(
        to path: String, known: SnapshotRecord.Stamp, in work: String, hostBoot: String = InstantSnapshot.hostBoot
    ) {
        guard let found = try? SnapshotRecord.Stamp(file: path), found == known,
            let text = try? JSONValue(encoding: Mark(code: known, hostBoot: hostBoot)).text
        else { return }
        let target = "\(work)/\(name)"
        guard linkOrRefer(path, target) else { return }
        do {
            try Machine.replace("\(work)/\(markName)", with: text + [0x0A], isDurable: false)
        } catch { unlink(target) }
    }

    /// Opens a machine's code for its start; nil without one that is as it was.
    func open(of machine: Machine) -> FileDescriptor? {
        guard let text = try? Machine.readFile(machine.file(markName)),
            let mark = try? JSONValue(parsing: text).decode(Mark.self)
        else { return nil }
        return Self.open(machine.file(name), mark.code, isChecked: mark.hostBoot != InstantSnapshot.hostBoot)
    }

    /// Opens a file of code if it is the one that is known.
    ///
    /// - Parameter isChecked: whether all of it is compared with its checksums as well.
    static func open(_ path: String, _ known: SnapshotRecord.Stamp, isChecked: Bool) -> FileDescriptor? {
        // Nothing that stands in the file's place lets anybody wait.
        guard let file = try? FileDescriptor(path: path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY) else { return nil }
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            SnapshotRecord.Stamp(status) == known, !isChecked || VirtualMachine.isCodeIntact(file)
        else { return nil }
        return file
    }

    func discard(of machine: Machine) {
        unlink(machine.file(markName))
        unlink(machine.file(name))
    }
}

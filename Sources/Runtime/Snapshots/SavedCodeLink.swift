internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The generated code with which a machine starts that goes on from a saved one: a link to the file of a snapshot, and what the file has to
/// be, since it executes. A machine that has none, or another file, generates its code anew.
enum SavedCodeLink {
    /// `saved.code.json` in the machine's directory.
    private struct Mark: Codable {
        var code: SnapshotRecord.Stamp
        /// The run of the host's kernel in which the link was made. A crash of the host may have damaged what was not on its storage yet.
        var hostBoot: String
    }

    /// Gives a machine that is being made the code, unless its file is not the one that is known, or cannot be linked.
    static func make(to path: String, known: SnapshotRecord.Stamp, in work: String) {
        guard let found = try? SnapshotRecord.Stamp(file: path), found == known,
            let text = try? JSONValue(encoding: Mark(code: known, hostBoot: InstantSnapshot.hostBoot)).text
        else { return }
        let target = "\(work)/\(Machine.savedCodeName)"
        guard linkOrRefer(path, target) else { return }
        do {
            try Machine.replace("\(work)/\(Machine.savedCodeMarkName)", with: text + [0x0A], isDurable: false)
        } catch { unlink(target) }
    }

    /// Opens a machine's code for its start; nil without one that is as it was.
    static func open(of machine: Machine) -> FileDescriptor? {
        guard let text = try? Machine.readFile(machine.file(Machine.savedCodeMarkName)),
            let mark = try? JSONValue(parsing: text).decode(Mark.self)
        else { return nil }
        return open(
            machine.file(Machine.savedCodeName), mark.code, isChecked: mark.hostBoot != InstantSnapshot.hostBoot)
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

    static func discard(of machine: Machine) {
        unlink(machine.file(Machine.savedCodeMarkName))
        unlink(machine.file(Machine.savedCodeName))
    }
}

internal import Aerie
internal import CRuntime
internal import Glibc
internal import HostSystem

/// A file of a machine outside of its directory, as it comes.
final class ArrivingFile {
    private let asked: String
    private let entry: ArrivedFiles.Entry
    let contents: ReceivedDisk
    var path: String { entry.path }
    private let isNamed: Bool

    init(_ file: OutsideFile, _ entry: ArrivedFiles.Entry, _ asked: String) throws(AerieError) {
        self.asked = asked
        self.entry = entry
        do throws(SystemError) {
            // A file that goes with the last process that has it open; where there are none, one with the temporary name.
            let unnamed = aerie_state_make_unnamed(OutsideFile.parts(entry.path).directory)
            isNamed = unnamed < 0
            let made = isNamed ? try FileDescriptor(new: entry.temporary) : FileDescriptor(owning: unnamed)
            contents = ReceivedDisk(made, modified: file.isWritten ? nil : file.modified, path: file.path)
            try Self.tryLink(entry, isNamed: isNamed)
        } catch {
            throw AerieError(
                .unavailable, asked: asked,
                found: "its disk \(file.path) cannot be made on the receiver's host: \(error.description)",
                advice: "the directory needs a file system with hard links; or keep the disk where both hosts see it")
        }
    }

    /// Fails on a file system that has no hard links: `appear` needs them, when the machine stands still.
    private static func tryLink(_ entry: ArrivedFiles.Entry, isNamed: Bool) throws(SystemError) {
        if isNamed {
            _ = try checked("link") { link(entry.temporary, entry.path) }
            unlink(entry.path)
            return
        }
        // A file without a name can get one once only.
        let directory = OutsideFile.parts(entry.path).directory
        let other = FileDescriptor(owning: try checked("open O_TMPFILE") { aerie_state_make_unnamed(directory) })
        let descriptor = other.rawValue
        _ = try checked("linkat") { aerie_state_name_file(descriptor, entry.temporary) }
        unlink(entry.temporary)
    }

    /// Takes the file away again, whether it has appeared or not.
    func disappear() {
        if let made = contents.identity { entry.remove(made) }
    }

    /// Gives the complete file its name, which nothing may have. The temporary name stays with it until the machine has started: by it, the
    /// file is known as the one that was made here (`ArrivedFiles`).
    func appear() throws(AerieError) {
        do throws(SystemError) {
            if !isNamed {
                let descriptor = contents.descriptor
                _ = try checked("linkat") { aerie_state_name_file(descriptor, entry.temporary) }
            }
            _ = try checked("link") { link(entry.temporary, entry.path) }
            try FileDescriptor.synchronize(path: OutsideFile.parts(entry.path).directory, flags: O_DIRECTORY)
        } catch {
            throw AerieError(
                .inputOutput, asked: asked,
                found: error.code == EEXIST
                    ? "a file has appeared at the path of its disk \(entry.path)"
                    : "its disk \(entry.path) cannot be put in its place: \(error.description)",
                advice: "move the file away, or choose another directory for the disk")
        }
    }
}

internal import CLinux
internal import Glibc

/// A file that gets its name only when it is complete and on disk; until then, whatever had that name stays.
package struct ReplacementFile: ~Copyable {
    /// To be written.
    package let file: FileDescriptor
    private let path: String
    /// The name until `commit`.
    package let temporary: String
    private var isCommitted = false

    /// Other files of these names may lie there: left behind, or put there by somebody else.
    private static let attempts = 100

    /// Creates the file beside `path`, under a name that nothing had.
    package init(replacing path: String, mode: UInt32) throws(SystemError) {
        self.path = path
        var name = ""
        file = try Self.create(beside: path, mode: mode, name: &name)
        temporary = name
    }

    private static func create(
        beside path: String, mode: UInt32, name: inout String
    ) throws(SystemError) -> FileDescriptor {
        var number = 0
        while true {
            name = "\(path).\(getpid()).\(number).partial"
            do throws(SystemError) {
                // O_EXCL: an existing file, or a link that leads to one, is never written to.
                return try FileDescriptor(path: name, flags: O_WRONLY | O_CREAT | O_EXCL, mode: mode)
            } catch {
                number += 1
                if error.code != EEXIST || number == attempts { throw error }
            }
        }
    }

    /// Puts the file in its place. After a failure, the old file or the new one has the name, and each is whole.
    ///
    /// - Parameters:
    ///   - replaces: false fails with EEXIST when there is a file of the name.
    ///   - isDurable: whether the file survives a loss of power from then on; otherwise the caller sees to that.
    package mutating func commit(replaces: Bool = true, isDurable: Bool = true) throws(SystemError) {
        if isDurable { try file.synchronize() }
        do throws(SystemError) {
            _ = try checked("rename \(temporary) to \(path)") {
                replaces ? rename(temporary, path) : aerie_rename_new(temporary, path)
            }
        } catch  where error.code == EINVAL && !replaces {
            // A file system without this kind of rename; it has hard links.
            _ = try checked("link \(temporary) to \(path)") { link(temporary, path) }
            unlink(temporary)
        }
        isCommitted = true
        guard isDurable else { return }
        // The name, too, must survive a loss of power.
        try FileDescriptor.synchronize(path: Self.directory(of: path), flags: O_DIRECTORY)
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    deinit {
        if !isCommitted { unlink(temporary) }
    }
}

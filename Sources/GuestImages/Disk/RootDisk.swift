internal import Glibc
internal import HostSystem

/// Makes and checks the ext4 file system of a root disk with e2fsprogs, without mounting it.
///
/// The builder's directory holds files of the builder's own; mke2fs copies them, and debugfs then sets every owner and
/// mode that differs in the guest. That works the same for root and for an ordinary user, and needs neither a user
/// namespace, which hosts often forbid, nor a preloaded library, which a static tool would escape.
struct RootDisk {
    let runner: ToolRunner
    let path: String
    /// A directory for the list of corrections.
    let scratch: String

    /// Writes a file system of `size` bytes with the tree's contents into a sparse file.
    func format(_ tree: RootTree, size: UInt64) async throws(ImageError) {
        do throws(SystemError) {
            let file = try FileDescriptor(path: path, flags: O_RDWR | O_CREAT | O_TRUNC, mode: 0o644)
            try file.truncate(to: size)
        } catch {
            throw Files.failure(error)
        }
        do {
            try await runner.run(
                .mke2fs,
                [
                    "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1", "-J", "size=16", "-L", RootConfiguration.label,
                    // A new sparse file reads as zeros, so nothing of it has to be written.
                    "-E", "assume_storage_prezeroed=1,nodiscard,root_owner=0:0", "-d", tree.directory, path,
                ], purpose: "writing the root disk")
        } catch  where error.detail.contains("Could not allocate") || error.message.contains("Could not allocate") {
            throw ImageError(
                .usage, "root disk of \(size >> 20) MiB: the packages do not fit; choose a larger size",
                detail: error.detail)
        }
        try await correct(tree)
    }

    /// Sets owners and modes inside the file system.
    private func correct(_ tree: RootTree) async throws(ImageError) {
        var commands = ""
        try Self.corrections(of: "", in: tree, into: &commands)
        commands += "set_inode_field \"/lost+found\" uid 0\nset_inode_field \"/lost+found\" gid 0\n"
        let script = "\(scratch)/corrections"
        try Files.write(commands, to: script)
        let errors = try await runner.run(
            .debugfs, ["-w", "-f", script, path], into: "/dev/null", purpose: "setting owners on the root disk")
        // debugfs ends well whatever its commands did; its errors are the lines after its version.
        if let problem = errors.first(where: { !$0.hasPrefix("debugfs ") }) {
            throw ImageError(
                .internalFailure, "setting owners on the root disk: debugfs: \(problem)",
                detail: errors.joined(separator: "\n"))
        }
        try Files.removeTree(script)
    }

    /// Appends a command for every field of every inode that is not yet as it is to be.
    static func corrections(of path: String, in tree: RootTree, into commands: inout String) throws(ImageError) {
        let hostPath = path.isEmpty ? tree.directory : "\(tree.directory)/\(path)"
        guard let status = Files.status(hostPath) else { throw Files.failure("stat \(hostPath)", errno) }
        guard !path.contains("\""), !path.contains("\n") else {
            throw ImageError(.badInput, "path '\(path)': debugfs takes no such name; leave its package out")
        }
        let wanted = tree.attributes(of: path, status)
        func set(_ field: String, _ value: String) { commands += "set_inode_field \"/\(path)\" \(field) \(value)\n" }
        if status.st_uid != wanted.uid { set("uid", "\(wanted.uid)") }
        if status.st_gid != wanted.gid { set("gid", "\(wanted.gid)") }
        if status.st_mode & S_IFMT != S_IFLNK, UInt32(status.st_mode) & 0o7777 != wanted.mode {
            set("mode", "0" + String(UInt32(status.st_mode & S_IFMT) | wanted.mode, radix: 8))
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return }
        for name in Files.list(hostPath) {
            try corrections(of: path.isEmpty ? name : "\(path)/\(name)", in: tree, into: &commands)
        }
    }

    /// The text of a file in the file system, empty when there is none.
    func text(_ file: String) async throws(ImageError) -> String {
        let target = "\(scratch)/text"
        try await runner.run(
            .debugfs, ["-R", "cat \"/\(file)\"", path], into: target, purpose: "reading the root disk")
        return String(decoding: try Files.read(target, limit: 16 << 20), as: UTF8.self)
    }

    /// Checks the file system without changing it.
    func check() async throws(ImageError) {
        let outcome = try await runner.outcome(.e2fsck, ["-f", "-n", path])
        guard outcome.succeeded else {
            throw ImageError(
                .internalFailure, "root disk: the guest left its file system damaged; build again",
                detail: outcome.text)
        }
    }
}

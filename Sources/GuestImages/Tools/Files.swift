internal import Glibc
internal import HostSystem

/// The few operations on paths that the store and the builder share, with the errors of this module.
enum Files {
    /// Creates a directory and those above it; one that exists is fine.
    static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(ImageError) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        let code = errno
        guard code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw failure("create directory \(path)", code)
        }
        try makeDirectories(String(path[..<slash]), mode: mode)
        if mkdir(path, mode) != 0 && errno != EEXIST { throw failure("create directory \(path)", errno) }
    }

    /// Writes a whole file, replacing what was there.
    static func write(_ bytes: some Sequence<UInt8>, to path: String, mode: UInt32 = 0o644) throws(ImageError) {
        do throws(SystemError) {
            let file = try FileDescriptor(path: path, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
            try file.writeAll(Array(bytes))
        } catch {
            throw failure(error)
        }
    }

    static func write(_ text: String, to path: String, mode: UInt32 = 0o644) throws(ImageError) {
        try write(text.utf8, to: path, mode: mode)
    }

    /// Reads a whole file, at most `limit` bytes of it.
    static func read(_ path: String, limit: Int) throws(ImageError) -> [UInt8] {
        do throws(SystemError) {
            let file = try FileDescriptor(path: path, flags: O_RDONLY)
            let size = try file.size()
            guard size <= UInt64(limit) else {
                throw SystemError("read \(path) (\(size) bytes, at most \(limit) are taken)", code: EOVERFLOW)
            }
            var bytes = [UInt8](repeating: 0, count: Int(size))
            let count = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
                try file.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
            }
            bytes.removeLast(bytes.count - count)
            return bytes
        } catch {
            throw failure(error)
        }
    }

    /// The names in a directory, sorted; none when the directory is missing.
    static func list(_ path: String) -> [String] { directoryNames(path).sorted() }

    /// The target of a symbolic link, or nil when `path` is none.
    static func readLink(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
            let count = readlink(path, buffer.baseAddress!, buffer.count - 1)
            guard count >= 0 else { return nil }
            buffer[count] = 0
            return String(cString: buffer.baseAddress!)
        }
    }

    /// What lstat(2) says, or nil when there is nothing at `path`.
    static func status(_ path: String) -> stat? {
        var result = stat()
        return lstat(path, &result) == 0 ? result : nil
    }

    static func exists(_ path: String) -> Bool { status(path) != nil }

    static func isDirectory(_ path: String) -> Bool {
        status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    static func rename(_ source: String, to target: String) throws(ImageError) {
        if Glibc.rename(source, target) != 0 { throw failure("rename \(source) to \(target)", errno) }
    }

    static func makeLink(_ path: String, to target: String) throws(ImageError) {
        if symlink(target, path) != 0 { throw failure("create link \(path)", errno) }
    }

    /// Removes a file or a whole tree without following links; what is already gone is fine.
    static func removeTree(_ path: String) throws(ImageError) {
        if unlink(path) == 0 || errno == ENOENT { return }
        guard isDirectory(path) else { throw failure("remove \(path)", errno) }
        chmod(path, 0o700)
        for name in list(path) { try removeTree("\(path)/\(name)") }
        if rmdir(path) != 0 && errno != ENOENT { throw failure("remove \(path)", errno) }
    }

    /// Makes a file's data, or a directory's entries, survive a loss of power.
    static func synchronize(_ path: String) throws(ImageError) {
        do throws(SystemError) {
            try FileDescriptor.synchronize(path: path)
        } catch {
            throw failure(error)
        }
    }

    /// Bytes that the files directly in a directory occupy.
    static func allocatedSize(_ directory: String) -> UInt64 {
        list(directory).reduce(0) { $0 + UInt64((status("\(directory)/\($1)")?.st_blocks ?? 0) * 512) }
    }

    static func failure(_ call: String, _ code: Int32) -> ImageError {
        failure(SystemError(call, code: code))
    }

    /// The user's view of a failed system call: what can be done about the common ones stands in the line.
    static func failure(_ error: SystemError) -> ImageError {
        let remedy =
            switch error.code {
            case ENOSPC, EDQUOT: "; free some space, or set XDG_DATA_HOME and XDG_CACHE_HOME to a larger file system"
            case EACCES, EPERM, EROFS: "; set XDG_DATA_HOME and XDG_CACHE_HOME to directories that you may write"
            default: error.advice.map { "; \($0)" } ?? ""
            }
        return ImageError(.unavailable, error.description + remedy)
    }
}

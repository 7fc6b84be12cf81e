internal import Glibc
internal import HostSystem

/// An flock(2) lock on a file, held until the owner goes away; the kernel drops it when the process dies.
///
/// Lock files are never removed: a name that another process opened before the removal would lock nothing.
package struct FileLock: ~Copyable, Sendable {
    private let file: FileDescriptor

    package enum Mode: Sendable {
        case shared, exclusive
    }

    /// Who has it open, or a duplicate of it, has the lock: also a program that inherits it.
    package var descriptor: Int32 { file.rawValue }

    private init(file: consuming FileDescriptor) {
        self.file = file
    }

    /// Takes the lock without waiting.
    ///
    /// - Returns: nil when another process (or another owner in this one) holds it.
    package static func take(path: String, mode: Mode, create: Bool) throws(ImageError) -> FileLock? {
        let file = try open(path, create: create)
        if flock(file.rawValue, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 { return FileLock(file: file) }
        let code = errno
        if code == EWOULDBLOCK { return nil }
        throw Files.failure("lock \(path)", code)
    }

    /// Takes the lock exclusively, and waits for other owners, who must hold it for moments only.
    static func wait(path: String) throws(ImageError) -> FileLock {
        let file = try open(path, create: true)
        while flock(file.rawValue, LOCK_EX) != 0 {
            let code = errno
            if code != EINTR { throw Files.failure("lock \(path)", code) }
        }
        return FileLock(file: file)
    }

    private static func open(_ path: String, create: Bool) throws(ImageError) -> FileDescriptor {
        do throws(SystemError) {
            return try FileDescriptor(path: path, flags: create ? O_RDWR | O_CREAT : O_RDONLY, mode: 0o600)
        } catch {
            throw Files.failure(error)
        }
    }
}

internal import CRuntime
package import Aerie
internal import Glibc
internal import HostSystem

/// A lock on a file, which its owner's processes hold until the last of them has ended: the kernel releases it, whatever happens to them.
package final class MachineLock: Sendable {
    private let path: String
    private let file: FileDescriptor

    /// Opens the lock's file, and makes it where it is missing. It is not locked yet.
    package init(path: String) throws(AerieError) {
        self.path = path
        do throws(SystemError) {
            file = try FileDescriptor(path: path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        } catch {
            throw AerieError(
                .unavailable, asked: "the directory of machines", found: error.description,
                advice: "set XDG_STATE_HOME to a directory that can be written to")
        }
    }

    /// The lock's open file, which a process that is started has as well.
    var descriptor: Int32 { file.rawValue }

    /// Takes the lock; false when somebody else has it.
    package func take() throws(AerieError) -> Bool {
        if aerie_state_lock(file.rawValue, 0) == 0 { return true }
        if errno == EAGAIN || errno == EACCES { return false }
        throw failure("lock")
    }

    /// Takes the lock, and waits for its other owners.
    package func wait() throws(AerieError) {
        if aerie_state_lock(file.rawValue, 1) != 0 { throw failure("lock") }
    }

    /// Whether somebody else has the lock.
    package var isTaken: Bool { aerie_state_is_locked(file.rawValue) == 1 }

    /// Waits until nobody has the lock.
    package func waitUntilFree() { _ = aerie_state_wait_unlocked(file.rawValue) }

    private func failure(_ call: String) -> AerieError {
        AerieError(
            .inputOutput, asked: "the directory of machines", found: SystemError.last("\(call) \(path)").description)
    }
}

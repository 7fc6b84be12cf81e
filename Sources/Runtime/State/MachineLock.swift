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

    /// Held while this process starts another one, and while it has locks of machines for moments: between fork(2) and execve(2), a child has
    /// copies of the descriptors, and with them the locks.
    static let forkGuard = Monitor(())

    /// Milliseconds for which a lock is a child's on its way to execve(2), not a machine's.
    private static let grace = 50

    /// Takes the lock; false when somebody else has it.
    package func take() throws(AerieError) -> Bool {
        var attempts = 0
        while aerie_state_lock(file.rawValue, 0) != 0 {
            guard errno == EAGAIN || errno == EACCES else { throw failure("lock") }
            if isTaken {
                attempts += 1
                if attempts == Self.grace { return false }
            }
            // Whoever waited for the machine's end has a shared lock for a moment.
            usleep(1000)
        }
        return true
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

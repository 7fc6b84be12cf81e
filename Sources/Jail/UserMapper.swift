internal import CJail
internal import Glibc
internal import HostSystem

/// A child that waits until this process is in a user namespace of its own, to write the namespace's maps with the privileges that this process
/// then has no more.
///
/// It starts while the process has little memory: after a fork, each page that was there costs a fault when it is written.
final class UserMapper: @unchecked Sendable {
    // @unchecked: the jail is locked on one thread.

    private let process: Int32
    /// The child's end follows that of this descriptor.
    private var go: FileDescriptor?

    /// The maps have all users and groups that this process knows now, so that the owners of files stay what they are.
    init() throws(SystemError) {
        guard let users = IdentityMap.own("uid_map"), let groups = IdentityMap.own("gid_map") else {
            throw .last("open /proc/self")
        }
        var go: Int32 = -1
        process = try checked("fork") { aerie_jail_start_mapper(users, groups, &go) }
        self.go = FileDescriptor(owning: go)
    }

    /// Enters the namespace. Once.
    ///
    /// - Returns: false with errno set when it is refused.
    /// - Throws: when it is entered, and the maps are refused.
    func enterNamespace() throws(SystemError) -> Bool {
        guard let go = go.take() else { preconditionFailure("the namespace is entered once") }
        guard aerie_jail_unshare(aerie_jail_user) == 0 else {
            let reason = errno
            _ = consume go
            _ = aerie_jail_await_mapper(process)
            errno = reason
            return false
        }
        _ = try checked("mapping the users of the user namespace") { aerie_jail_let_map(go.rawValue) }
        _ = consume go
        _ = try checked("mapping the users of the user namespace") { aerie_jail_await_mapper(process) }
        return true
    }
}

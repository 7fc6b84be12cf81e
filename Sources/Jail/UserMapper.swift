internal import CJail
internal import HostSystem

/// A child that waits until this process is in a user namespace of its own, to write the namespace's maps with the privileges that this process
/// then has no more.
///
/// It starts while the process has little memory: after a fork, each page that was there costs a fault when it is written.
struct UserMapper: Sendable {
    let process: Int32
    /// The child's end follows that of this descriptor.
    let go: Int32

    /// The maps have all users and groups that this process knows now.
    init() throws(SystemError) {
        guard let users = IdentityMap.own("uid_map"), let groups = IdentityMap.own("gid_map") else {
            throw .last("open /proc/self")
        }
        var go: Int32 = -1
        process = try checked("fork") { aerie_jail_start_mapper(users, groups, &go) }
        self.go = go
    }
}

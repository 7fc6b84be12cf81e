import Glibc
import GuestToolchain
import SharedFolders
import Testing

/// Who owns files, on both sides.
@Suite struct OwnershipTests {
    private let directory = TemporaryDirectory()

    private func host(_ name: String) -> (mode: UInt32, user: UInt32, group: UInt32) {
        var status = stat()
        lstat(directory.path(name), &status)
        return (status.st_mode & 0o7777, status.st_uid, status.st_gid)
    }

    @Test("As the caller: all is the guest's root's, and what it sets is kept without effect on the host")
    func caller() throws {
        let client = try FUSEClient(directory)
        let (file, _) = try client.create("file", mode: 0o640)
        #expect(file.attributes.permissions == 0o640)
        #expect(file.attributes.user == 0 && file.attributes.group == 0)
        #expect(host("file").user == geteuid())
        // An owner, and privileges.
        let owned = try client.chown(file.node, 1000, 100)
        #expect((owned.user, owned.group, owned.permissions) == (1000, 100, 0o640))
        let privileged = try client.chmod(file.node, 0o6755)
        #expect((privileged.user, privileged.permissions) == (1000, 0o6755))
        #expect(host("file").user == geteuid())
        #expect(host("file").mode & 0o6000 == 0)
        // They are there for the next guest, too, and in lists.
        let next = try FUSEClient(directory)
        #expect(try next.lookUp("file").attributes == client.attributes(file.node))
        #expect(throws: FileError(ENODATA)) { try next.extended(try next.lookUp("file").node, "user.aerie.owner") }
        #expect(try next.call(23, try next.lookUp("file").node, .words(1024, 0)) == [])
        // A change of the owner takes privileges, and root's plain file has nothing to keep.
        #expect(try client.chown(file.node, 0, 0).permissions == 0o755)
        #expect(host("file").mode == 0o755)
    }

    @Test("As the caller: a file that a user of the guest makes is that user's, and writing takes its privileges")
    func callerUsers() throws {
        let client = try FUSEClient(directory)
        client.user = 1000
        client.group = 1001
        let (file, handle) = try client.create("file", mode: 0o644)
        #expect((file.attributes.user, file.attributes.group) == (1000, 1001))
        let inner = try client.makeDirectory("inner", mode: 0o700)
        #expect((inner.attributes.user, inner.attributes.permissions) == (1000, 0o700))
        #expect(try client.makeSymlink("link", to: "x").attributes.user == 0)
        #expect(try client.chmod(file.node, 0o4755).permissions == 0o4755)
        try client.write(handle, [1], options: 4)
        #expect(try client.attributes(file.node).permissions == 0o755)
        // A sticky directory is one on both sides; a mark of the host's on a file is shown as it is.
        let sticky = try client.makeDirectory("sticky", mode: 0o1777)
        #expect(sticky.attributes.permissions == 0o1777)
        #expect(host("sticky").mode == 0o1777)
    }

    @Test("The modes of new files are the guest's, whatever this process's umask is")
    func modes() throws {
        let client = try FUSEClient(directory)
        #expect(try client.create("file", mode: 0o666).entry.attributes.permissions == 0o666)
        #expect(try client.makeDirectory("inner", mode: 0o777).attributes.permissions == 0o777)
        #expect(try client.makeNode("pipe", mode: UInt32(S_IFIFO) | 0o622).attributes.permissions == 0o622)
        #expect(host("file").mode == 0o666)
    }

    @Test("Passed through and mapped, owners are the host's", .enabled("needs root") { geteuid() == 0 })
    func numbers() throws {
        let pass = try FUSEClient(directory, .pass)
        let (file, _) = try pass.create("file", mode: 0o4755)
        #expect(host("file").mode == 0o4755)
        #expect(try pass.chown(file.node, 1234, 1235).permissions == 0o755)
        #expect(host("file") == (0o755, 1234, 1235))
        pass.user = 77
        pass.group = 78
        _ = try pass.makeDirectory("inner")
        #expect(host("inner") == (0o755, 77, 78))

        let range = try #require(IdentityRange(guest: 0, host: 1000, count: 500))
        let map = try FUSEClient(directory, .map([range]))
        #expect(try map.lookUp("file").attributes.user == 234)
        #expect(try map.lookUp("inner").attributes.user == 65534)
        map.user = 5
        let made = try map.create("made").entry
        #expect(host("made").user == 1005)
        #expect(made.attributes.user == 5)
        #expect(try map.chown(made.node, 499, 499).user == 499)
        #expect(host("made").user == 1499)
        #expect(throws: FileError(EOVERFLOW)) { try map.chown(made.node, 500, 0) }
        // Files of users whom the guest does not know are not its own to change, and it makes none for such users.
        #expect(throws: FileError(EPERM)) { try map.chmod(try map.lookUp("inner").node, 0o777) }
        let foreign = try pass.chown(file.node, 77, 78)
        #expect(foreign.user == 77)
        let known = try map.lookUp("file").node
        #expect(throws: FileError(EPERM)) { try map.open(known, O_WRONLY) }
        #expect(throws: FileError(EPERM)) { try map.chmod(known, 0o4755) }
        map.user = 999_999
        #expect(throws: FileError(EOVERFLOW)) { try map.create("left", mode: 0o4777) }
        #expect(throws: FileError(EOVERFLOW)) { try map.makeNode("left", mode: UInt32(S_IFREG) | 0o4777) }
        #expect(try pass.lookUp("left").node == 0)
        #expect(IdentityRange(guest: 0, host: 0, count: 0) == nil)
        #expect(IdentityRange(guest: 10, host: .max - 5, count: 6) == nil)
    }
}

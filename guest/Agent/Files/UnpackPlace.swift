import Support

/// The directory that an archive is unpacked below. The kernel resolves every path as if it were the root directory, so
/// that no symbolic link leads out of it.
final class UnpackPlace {
    private let root: Descriptor
    private let keepsOwners: Bool
    /// The directory of the last member: the next one is often in it, too.
    private var parent: Descriptor?
    private var parentPath: [[UInt8]] = []
    /// The path of the file that is being written, with its temporary name.
    private var unfinished: [[UInt8]]?
    private var temporaryCount: UInt64 = 0
    /// Other files of these names may lie there: an agent that was killed has left them.
    private static let temporaryAttempts = 1000

    init(_ request: PutRequest) throws(AgentFailure) {
        let path = FileFacts.absolute(request.path)
        keepsOwners = request.keepsOwners
        do throws(Errno) {
            if request.createsDirectory { try Self.makeDirectories(path) }
            root = try FileAccess.open(path, OpenFlags.path | OpenFlags.directory)
        } catch {
            throw FileFacts.failure(request.path, error)
        }
    }

    private static func makeDirectories(_ path: [UInt8]) throws(Errno) {
        for index in 1...path.count where index == path.count || path[index] == UInt8(ascii: "/") {
            let result = Array(path[..<index]).withCString {
                system(SystemCall.mkdirat, OpenFlags.here, Int($0), 0o755)
            }
            if result != -Int(Errno.exists.number) { try checked(result) }
        }
    }

    /// Opens a path below the root; `.` without components.
    private func open(_ components: [[UInt8]], _ flags: Int) throws(Errno) -> Descriptor {
        var path: [UInt8] = [UInt8(ascii: ".")]
        for component in components {
            path.append(UInt8(ascii: "/"))
            path.add(component)
        }
        var how = aerie_open_how()
        how.flags = UInt64(flags | OpenFlags.closeOnExec)
        how.resolve = 0x10 | 0x02  // in root, no magic links
        let number = Int(root.number)
        let result = path.withCString { path in
            withUnsafeMutablePointer(to: &how) {
                system(
                    SystemCall.openat2, number, Int(path), Int(bitPattern: $0), MemoryLayout<aerie_open_how>.size)
            }
        }
        return try Descriptor(result)
    }

    /// Calls `body` with the directory that a member is in, which is made if it is absent, and the member's name.
    private func inParent(
        _ components: [[UInt8]], _ body: (_ directory: Int, _ name: Int) -> Int
    ) throws(Errno) -> Int {
        guard let name = components.last else { throw Errno.isDirectory }
        let path = Array(components.dropLast())
        if parent.number == nil || path != parentPath {
            parent = try openDirectory(path)
            parentPath = path
        }
        let directory = Int(parent.number ?? -1)
        return try checked(name.withCString { body(directory, Int($0)) })
    }

    private func openDirectory(_ path: [[UInt8]]) throws(Errno) -> Descriptor {
        let flags = OpenFlags.path | OpenFlags.directory
        do throws(Errno) {
            return try open(path, flags)
        } catch {
            guard error == .noEntry, let name = path.last else { throw error }
            let above = try openDirectory(Array(path.dropLast()))
            let number = Int(above.number)
            try checked(name.withCString { system(SystemCall.mkdirat, number, Int($0), 0o755) })
            return try open(path, flags)
        }
    }

    /// Removes what is there under a name and is no directory.
    private func makePlace(_ components: [[UInt8]]) throws(Errno) {
        let result = try? inParent(components) { system(SystemCall.unlinkat, $0, $1, 0) }
        guard result == nil else { return }
        try refuseDirectory(components)
    }

    /// The directory's absence, or that of the name, is no fault; a directory of the name is.
    private func refuseDirectory(_ components: [[UInt8]]) throws(Errno) {
        let isThere = try? inParent(components) { directory, name in
            switch FileFacts.statx(directory, name, OpenFlags.symlinkNoFollow) {
            case .success(let status): FileFacts.kind(status.mode) == .directory ? 1 : 0
            case .failure: 0
            }
        }
        if isThere == 1 { throw Errno.isDirectory }
    }

    /// Makes a file under a temporary name, so that whatever has its own name stays until the file is complete (`finishFile`).
    func makeFile(_ components: [[UInt8]]) throws(Errno) -> Descriptor {
        guard !components.isEmpty else { throw Errno.isDirectory }
        try refuseDirectory(components)
        let flags =
            OpenFlags.write | OpenFlags.create | OpenFlags.exclusive | OpenFlags.noFollow | OpenFlags.closeOnExec
        for _ in 0..<Self.temporaryAttempts {
            let path = Array(components.dropLast()) + [nextTemporary()]
            do throws(Errno) {
                let number = try inParent(path) { system(SystemCall.openat, $0, $1, flags, 0o600) }
                unfinished = path
                return Descriptor(owning: Int32(number))
            } catch {
                guard error == .exists else { throw error }
            }
        }
        throw Errno.exists
    }

    /// Two sessions never have roots of the same number at the same time.
    private func nextTemporary() -> [UInt8] {
        temporaryCount += 1
        var name = [UInt8](".aerie-cp-")
        name.add(number: UInt64(root.number))
        name.append(UInt8(ascii: "-"))
        name.add(number: temporaryCount)
        return name
    }

    /// Gives the file that `makeFile` has made its name.
    func finishFile(_ components: [[UInt8]]) throws(Errno) {
        guard let temporary = unfinished?.last, let name = components.last else { return }
        _ = try inParent(components) { directory, _ in
            temporary.withCString { from in
                name.withCString { to in
                    system(SystemCall.renameat2, directory, Int(from), directory, Int(to), 0)
                }
            }
        }
        unfinished = nil
    }

    /// Removes a file that will not be complete.
    func dropFile() {
        guard let path = unfinished else { return }
        unfinished = nil
        _ = try? inParent(path) { system(SystemCall.unlinkat, $0, $1, 0) }
    }

    /// False if the directory, or a link to one, was there.
    func makeDirectory(_ components: [[UInt8]]) throws(Errno) -> Bool {
        guard !components.isEmpty else { return false }
        do throws(Errno) {
            _ = try inParent(components) { system(SystemCall.mkdirat, $0, $1, 0o700) }
            return true
        } catch {
            guard error == .exists else { throw error }
            _ = try open(components, OpenFlags.path | OpenFlags.directory)
            return false
        }
    }

    func makeLink(_ components: [[UInt8]], to target: [UInt8]) throws(Errno) {
        try makePlace(components)
        _ = try inParent(components) { directory, name in
            target.withCString { system(SystemCall.symlinkat, Int($0), directory, name) }
        }
    }

    func makeHardLink(_ components: [[UInt8]], to old: [[UInt8]]) throws(Errno) {
        guard components != old else { return }
        guard let oldName = old.last else { throw Errno.isDirectory }
        let oldParent = try open(Array(old.dropLast()), OpenFlags.path | OpenFlags.directory)
        let number = Int(oldParent.number)
        try makePlace(components)
        _ = try inParent(components) { directory, name in
            oldName.withCString { system(SystemCall.linkat, number, Int($0), directory, name, 0) }
        }
    }

    func makeFIFO(_ components: [[UInt8]]) throws(Errno) {
        try makePlace(components)
        _ = try inParent(components) { system(SystemCall.mknodat, $0, $1, 0o010600, 0) }
    }

    // MARK: Attributes

    private func owners(_ member: TarMember) -> (user: Int, group: Int) {
        keepsOwners ? (Int(member.owner), Int(member.group)) : (0, 0)
    }

    /// Without the archive's owners, nothing becomes a program with root's rights for everybody.
    private func mode(_ member: TarMember) -> Int { Int(member.mode) & (keepsOwners ? 0o7777 : 0o1777) }

    /// Leaves the access time, sets the modification time.
    private func withTimes(_ member: TarMember, _ body: (Int) -> Int) -> Int {
        var (seconds, nanoseconds) = member.modified.quotientAndRemainder(dividingBy: 1_000_000_000)
        if nanoseconds < 0 {
            seconds -= 1
            nanoseconds += 1_000_000_000
        }
        var times = (
            aerie_timespec(seconds: 0, nanoseconds: (1 << 30) - 2),  // UTIME_OMIT
            aerie_timespec(seconds: seconds, nanoseconds: nanoseconds)
        )
        return withUnsafeMutablePointer(to: &times) { body(Int(bitPattern: $0)) }
    }

    func setAttributes(of member: TarMember, file: Int32) throws(Errno) {
        let owners = owners(member)
        if Process.user == 0 { try checked(system(SystemCall.fchown, Int(file), owners.user, owners.group)) }
        // The mode comes last: a change of the owner takes bits away.
        try checked(system(SystemCall.fchmod, Int(file), mode(member)))
        try checked(withTimes(member) { system(SystemCall.utimensat, Int(file), 0, $0, 0) })
    }

    func setAttributes(of member: TarMember, _ components: [[UInt8]]) throws(Errno) {
        let owners = owners(member)
        let noFollow = OpenFlags.symlinkNoFollow
        if Process.user == 0 {
            _ = try inParent(components) { system(SystemCall.fchownat, $0, $1, owners.user, owners.group, noFollow) }
        }
        var isLink = false
        if case .symbolicLink = member.kind { isLink = true }
        if !isLink { _ = try inParent(components) { system(SystemCall.fchmodat, $0, $1, mode(member)) } }
        _ = try inParent(components) { directory, name in
            withTimes(member) { system(SystemCall.utimensat, directory, name, $0, noFollow) }
        }
    }
}

internal import CFileSystem
internal import Glibc
internal import HostSystem

/// Makes files below a directory of this host from what a guest sends.
///
/// The guest may be hostile. Each component of a name is opened by itself and never through a symbolic link, so nothing outside of the
/// directory is reached. What is there is replaced by a rename and never written to: a second name of a file outside cannot be used.
/// Owners are the caller; there are no devices, and no set-user-id bits.
struct TreeWriter: ~Copyable {
    /// A directory whose mode and time are set when the copy leaves it: until then the copy has to write to it.
    private struct OpenDirectory {
        let member: TreeMember
    }

    /// A file that is being written, under a temporary name.
    private struct OpenFile {
        let member: TreeMember
        let size: UInt64
        let temporary: [CChar]
    }

    private static let temporaryAttempts = 1000

    private let root: FileDescriptor
    /// /proc/self/fd, through which modes of files are set.
    private let descriptors: FileDescriptor
    private var directories: [OpenDirectory] = []
    /// The directory of the last member.
    private var parent: FileDescriptor
    private var parentPath: [FileName] = []
    private var file: FileDescriptor?
    private var open: OpenFile?
    private var temporaryCount: UInt64 = 0

    /// Opens the directory that gets the copy; links in its own path are the caller's, and followed.
    init(_ directory: String) throws(SystemError) {
        let root = FileDescriptor(owning: try checked("open \(directory)") { aerie_fs_open_root(directory) })
        let descriptors = FileDescriptor(owning: try checked("open /proc/self/fd") { aerie_fs_open_descriptors() })
        let parent = try root.duplicate()
        self.root = root
        self.descriptors = descriptors
        self.parent = parent
    }

    // MARK: Members

    /// Makes a member. For a file, its bytes follow with `write`, and `finish` gives it its name.
    mutating func begin(_ member: TreeMember) throws(TreeFault) {
        abandon()
        leaveDirectories(for: member.components)
        guard let name = member.components.last else { throw .invalidName }
        try enter(Array(member.components.dropLast()))
        switch member.kind {
        case .file(let size): try beginFile(member, size)
        case .directory: try makeDirectory(member, name)
        case .symbolicLink(let target): try makeLink(member, name, to: target)
        case .hardLink(let target): try makeHardLink(name, to: target)
        case .fifo: try makeFifo(member, name)
        }
    }

    /// Writes bytes of the file that has begun.
    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(TreeFault) {
        guard let open else { return }
        guard offset <= open.size, UInt64(bytes.count) <= open.size - offset else {
            abandon()
            throw .wrongSize
        }
        do throws(SystemError) {
            try fileDescriptor { (raw) throws(SystemError) in
                var done = 0
                while done < bytes.count {
                    done += try checked("write") {
                        pwrite(raw, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
                    }
                }
            }
        } catch {
            abandon()
            throw .system(error)
        }
    }

    /// Ends the file that has begun: it gets its size, its mode, its time, and its name.
    mutating func finish() throws(TreeFault) {
        guard let open else { return }
        let (root, raw) = (parent.rawValue, rawFile)
        do throws(SystemError) {
            _ = try checked("ftruncate") { ftruncate(raw, off_t(open.size)) }
            _ = try checked("chmod") { fchmod(raw, open.member.mode) }
            try Self.setTimes(raw, open.member)
            guard let name = open.member.components.last else { return }
            _ = try checked("rename") { aerie_fs_rename(root, open.temporary, root, name.characters, 0) }
            self.open = nil
            file = nil
        } catch {
            abandon()
            throw .system(error)
        }
    }

    /// Drops the file that has begun.
    mutating func abandon() {
        guard let open else { return }
        _ = aerie_fs_unlink(parent.rawValue, open.temporary, 0)
        self.open = nil
        file = nil
    }

    /// Ends the copy: directories get their modes and times.
    mutating func close() {
        abandon()
        leaveDirectories(for: [])
    }

    // MARK: Directories

    private mutating func enter(_ path: [FileName]) throws(TreeFault) {
        if path == parentPath { return }
        parent = try directory(path)
        parentPath = path
    }

    /// Opens a directory below the root, component by component.
    private func directory(_ path: [FileName]) throws(TreeFault) -> FileDescriptor {
        var current: FileDescriptor
        do throws(SystemError) { current = try root.duplicate() } catch { throw .system(error) }
        for name in path {
            let node = aerie_fs_open_node(current.rawValue, name.characters, 0)
            guard node >= 0 else { throw .system(.last("open")) }
            current = FileDescriptor(owning: node)
            guard try Self.status(node, nil)?.isDirectory == true else { throw .notADirectory }
        }
        return current
    }

    private mutating func makeDirectory(_ member: TreeMember, _ name: FileName) throws(TreeFault) {
        if aerie_fs_make_directory(parent.rawValue, name.characters, 0o700) != 0 {
            guard errno == EEXIST else { throw .system(.last("mkdir")) }
            guard try Self.status(parent.rawValue, name)?.isDirectory == true else { throw .notADirectory }
        }
        directories.append(OpenDirectory(member: member))
    }

    /// Finishes the directories that a member is not in.
    private mutating func leaveDirectories(for path: [FileName]) {
        while let last = directories.last,
            !path.starts(with: last.member.components) || path.count == last.member.components.count
        {
            directories.removeLast()
            // A directory that another process has removed has no mode to set.
            guard let node = try? directory(last.member.components) else { continue }
            _ = aerie_fs_set_mode(descriptors.rawValue, node.rawValue, last.member.mode)
            try? Self.setTimes(node.rawValue, last.member)
        }
    }

    // MARK: Other kinds

    private mutating func beginFile(_ member: TreeMember, _ size: UInt64) throws(TreeFault) {
        guard size <= UInt64(Int64.max) else { throw .wrongSize }
        try checkReplaceable(member.components[member.components.count - 1])
        var created: Int32 = -1
        let temporary = try makeTemporary("open") { directory, name in
            created = aerie_fs_create(directory, name, O_WRONLY, 0o600)
            return created
        }
        file = FileDescriptor(owning: created)
        open = OpenFile(member: member, size: size, temporary: temporary)
    }

    private mutating func makeLink(_ member: TreeMember, _ name: FileName, to target: [UInt8]) throws(TreeFault) {
        guard !target.isEmpty, !target.contains(0) else { throw .invalidLink }
        let text = target.map { CChar(bitPattern: $0) } + [0]
        try place(name) { (directory, temporary) in aerie_fs_make_symlink(text, directory, temporary) }
        let node = aerie_fs_open_node(parent.rawValue, name.characters, 0)
        guard node >= 0 else { return }
        let link = FileDescriptor(owning: node)
        // File systems without times of links exist.
        try? Self.setTimes(link.rawValue, member)
    }

    private mutating func makeHardLink(_ name: FileName, to target: [FileName]) throws(TreeFault) {
        guard let source = target.last else { throw .invalidLink }
        let directory = try directory(Array(target.dropLast()))
        guard let status = try Self.status(directory.rawValue, source), status.isFile || status.isLink else {
            throw .invalidLink
        }
        let raw = directory.rawValue
        try place(name) { (parent, temporary) in aerie_fs_link_symlink(raw, source.characters, parent, temporary) }
    }

    private mutating func makeFifo(_ member: TreeMember, _ name: FileName) throws(TreeFault) {
        try place(name) { (directory, temporary) in
            aerie_fs_make_node(directory, temporary, S_IFIFO | member.mode)
        }
        let node = aerie_fs_open_node(parent.rawValue, name.characters, 0)
        guard node >= 0 else { return }
        let fifo = FileDescriptor(owning: node)
        _ = aerie_fs_set_mode(descriptors.rawValue, fifo.rawValue, member.mode)
        try? Self.setTimes(fifo.rawValue, member)
    }

    /// Makes something under a temporary name, and gives it its own.
    private mutating func place(_ name: FileName, _ make: (Int32, [CChar]) -> Int32) throws(TreeFault) {
        try checkReplaceable(name)
        let temporary = try makeTemporary("create", make)
        // A rename onto another name of the same file does nothing and leaves the temporary one.
        defer { _ = aerie_fs_unlink(parent.rawValue, temporary, 0) }
        guard aerie_fs_rename(parent.rawValue, temporary, parent.rawValue, name.characters, 0) == 0 else {
            throw .system(.last("rename"))
        }
    }

    private func checkReplaceable(_ name: FileName) throws(TreeFault) {
        guard let status = try Self.status(parent.rawValue, name) else { return }
        if status.isDirectory { throw .isADirectory }
        guard status.isFile || status.isLink else { throw .notReplaced }
    }

    /// Makes something under a name that nothing has: a copy that was killed may have left files of a process of this number.
    private mutating func makeTemporary(
        _ call: String, _ make: (_ directory: Int32, _ name: [CChar]) -> Int32
    ) throws(TreeFault) -> [CChar] {
        for _ in 0..<Self.temporaryAttempts {
            temporaryCount += 1
            let name = ".aerie-cp-\(getpid())-\(temporaryCount)".utf8CString.map { $0 }
            if make(parent.rawValue, name) >= 0 { return name }
            guard errno == EEXIST else { break }
        }
        throw .system(.last(call))
    }

    // MARK: System calls

    private var rawFile: Int32 {
        switch file {
        case .some(let file): file.rawValue
        case nil: -1
        }
    }

    private func fileDescriptor(_ body: (Int32) throws(SystemError) -> Void) throws(SystemError) { try body(rawFile) }

    /// Nil when there is nothing. `name` nil stands for the descriptor's own file.
    private static func status(_ directory: Int32, _ name: FileName?) throws(TreeFault) -> aerie_file_status? {
        var status = aerie_file_status()
        if aerie_fs_status(directory, name?.characters ?? [0], &status) == 0 { return status }
        if errno == ENOENT { return nil }
        throw .system(.last("stat"))
    }

    private static func setTimes(_ node: Int32, _ member: TreeMember) throws(SystemError) {
        let modified = aerie_file_time(
            kind: Int32(AERIE_FS_TIME_SET), seconds: member.modified.seconds, fraction: member.modified.fraction)
        let accessed = aerie_file_time(kind: Int32(AERIE_FS_TIME_KEEP), seconds: 0, fraction: 0)
        _ = try checked("utimensat") { aerie_fs_set_times(node, accessed, modified) }
    }
}

extension aerie_file_status {
    var kindBits: UInt32 { mode & UInt32(S_IFMT) }
    var isDirectory: Bool { kindBits == UInt32(S_IFDIR) }
    var isFile: Bool { kindBits == UInt32(S_IFREG) }
    var isLink: Bool { kindBits == UInt32(S_IFLNK) }
    var isFifo: Bool { kindBits == UInt32(S_IFIFO) }
}

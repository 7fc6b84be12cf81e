internal import CFileSystem
internal import Glibc
internal import Synchronization

/// Owners and permissions.
extension FileServer {
    private static let specialBits: UInt32 = 0o7000

    /// Calls `body`, and once more with wider permissions of the files if the host refuses it for want of them: the guest's root, to whom
    /// everything belongs, may do what the mode does not allow, as any root may.
    ///
    /// Only for files of this process's own user, and for a moment. `body` does not call this function.
    func asOwner<Result>(
        of files: OpenFile..., waiting: Waiting = .allowed, body: () throws(FileError) -> Result
    ) throws(FileError) -> Result {
        do {
            return try body()
        } catch  where error.code == EACCES && ownership == .caller && !isReadOnly {
            try waiting.require()
            return try widening.withLock { _ throws(FileError) in
                var narrow: [(file: OpenFile, mode: UInt32)] = []
                defer { for (file, mode) in narrow { _ = aerie_fs_set_mode(descriptors.number, file.number, mode) } }
                for file in files {
                    let status = try FileStatus(file)
                    let mode = status.raw.mode & 0o7777
                    let wide = mode | (status.isDirectory ? 0o700 : 0o600)
                    guard status.raw.owner == user, status.isDirectory || status.isRegular else { throw error }
                    guard wide != mode else { continue }
                    guard aerie_fs_set_mode(descriptors.number, file.number, wide) == 0 else { throw error }
                    narrow.insert((file, mode), at: 0)
                }
                return try body()
            }
        }
    }

    /// Sets what is not nil of a file's mode, user and group, as the guest counts them.
    ///
    /// - Parameter stripsPrivileges: whether the bits for set-user-ID and, of an executable file, set-group-ID go.
    func setOwner(
        _ file: OpenFile, mode: UInt32?, user newUser: UInt32?, group newGroup: UInt32?, stripsPrivileges: Bool
    ) throws(FileError) {
        let status = try FileStatus(file)
        let record = ownership == .caller && OwnerRecord.isMarked(status) ? OwnerRecord.read(file) : nil
        let shown = GuestAttributes(status, record, ownership, rootDevice: rootIdentity.device)
        var wanted = (mode ?? shown.mode) & 0o7777
        if stripsPrivileges, mode == nil, status.isRegular { wanted = Self.stripped(wanted) }
        if ownership == .caller {
            guard !status.isSymlink else { return }
            let new = OwnerRecord(user: newUser ?? shown.user, group: newGroup ?? shown.group, mode: wanted)
            return try keep(new, on: file, status, had: record != nil)
        }
        // A file of somebody whom the guest does not know is not the guest's to change.
        guard ownership.knows(status.raw.owner), ownership.knows(status.raw.group) else { throw FileError(EPERM) }
        if newUser != nil || newGroup != nil {
            let owner = try newUser.map { id throws(FileError) in try ownership.host(id) } ?? .max
            let group = try newGroup.map { id throws(FileError) in try ownership.host(id) } ?? .max
            _ = try host { aerie_fs_set_owner(file.number, owner, group) }
        }
        // A change of the owner has taken the privileges on the host as well.
        guard !status.isSymlink, mode != nil || wanted != shown.mode & 0o7777 else { return }
        _ = try host { aerie_fs_set_mode(descriptors.number, file.number, wanted) }
    }

    private static func stripped(_ mode: UInt32) -> UInt32 {
        // Without the group's right to execute, the bit for set-group-ID is a mark for locks.
        mode & ~(mode & 0o010 != 0 ? 0o6000 : 0o4000)
    }

    /// Has the host keep permissions, and a record keep what has no effect there.
    private func keep(
        _ new: OwnerRecord, on file: OpenFile, _ status: FileStatus, had: Bool
    ) throws(FileError) {
        let marked = UInt32(S_ISVTX)
        let special = new.mode & Self.specialBits & (status.isDirectory ? ~marked : .max)
        let canHaveRecord = status.isRegular || status.isDirectory
        let needsRecord = canHaveRecord && (new.user != 0 || new.group != 0 || special != 0)
        if needsRecord {
            do throws(FileError) {
                try asOwner(of: file) { () throws(FileError) in try new.write(file) }
            } catch  where error.code == EOPNOTSUPP {
                throw FileError(EPERM)
            }
        } else if had {
            try asOwner(of: file) { () throws(FileError) in try OwnerRecord.remove(file) }
        }
        let sticky = needsRecord ? marked : status.isDirectory ? new.mode & marked : 0
        let mode = new.mode & 0o777 | sticky
        guard mode != status.raw.mode & 0o7777 else { return }
        _ = try host { aerie_fs_set_mode(descriptors.number, file.number, mode) }
    }

    /// The mode with which a file is made on the host: without privileges, for it is not yet its owner's.
    func hostMode(_ mode: UInt32) -> UInt32 { mode & 0o777 }

    /// Throws when what the sender of a request makes could not be given to it.
    func checkMaker(_ request: FileRequest) throws(FileError) {
        _ = try ownership.host(request.user)
        _ = try ownership.host(request.group)
    }

    /// Gives a file that was just made the owner and the mode that its maker expects. This process's umask has no part in it.
    ///
    /// - Parameter directory: where it was made; a bit there may give the file its group.
    func settle(
        _ file: OpenFile, mode: UInt32, _ request: FileRequest, in directory: OpenFile
    ) throws(FileError) {
        if ownership == .caller {
            return try setOwner(
                file, mode: mode & 0o7777, user: request.user, group: request.group, stripsPrivileges: false)
        }
        let status = try FileStatus(file)
        let parent = try FileStatus(directory)
        let inherits = parent.raw.mode & UInt32(S_ISGID) != 0 && ownership.knows(parent.raw.group)
        let owner = try ownership.host(request.user)
        let group = inherits ? parent.raw.group : try ownership.host(request.group)
        if status.raw.owner != owner || status.raw.group != group {
            do throws(FileError) {
                _ = try host { aerie_fs_set_owner(file.number, owner, group) }
            } catch  where error.code == EPERM && user != 0 {
                // Without privileges, what the guest makes is this process's user's.
            }
        }
        let settled = try FileStatus(file).raw
        let isGiven = settled.owner == owner && settled.group == group
        let wanted = mode & (isGiven ? 0o7777 : 0o1777) | (inherits && status.isDirectory ? UInt32(S_ISGID) : 0)
        guard !status.isSymlink, status.raw.mode & 0o7777 != wanted else { return }
        _ = try host { aerie_fs_set_mode(descriptors.number, file.number, wanted) }
    }

    /// Takes the privileges of a file whose contents change.
    func stripPrivileges(_ file: OpenFile) throws(FileError) {
        let status = try FileStatus(file)
        let hasRecord = ownership == .caller && OwnerRecord.isMarked(status)
        guard hasRecord || status.raw.mode & 0o6000 != 0 else { return }
        try setOwner(file, mode: nil, user: nil, group: nil, stripsPrivileges: true)
    }

    // MARK: SETATTR

    private enum Field {
        static let mode: UInt32 = 1
        static let user: UInt32 = 2
        static let group: UInt32 = 4
        static let size: UInt32 = 8
        static let accessed: UInt32 = 16
        static let modified: UInt32 = 32
        static let handle: UInt32 = 64
        static let accessedNow: UInt32 = 128
        static let modifiedNow: UInt32 = 256
        static let stripsPrivileges: UInt32 = 2048
    }

    /// struct fuse_setattr_in: fields that count, handle, size, lock owner, times, mode, user, group.
    func setAttributes(_ request: FileRequest, _ arguments: inout ArgumentReader) throws(FileError) -> FileReply {
        let fields: UInt32 = try arguments.integer()
        try arguments.skip(4)
        let number: UInt64 = try arguments.integer()
        let size: UInt64 = try arguments.integer()
        try arguments.skip(8)
        let accessed: Int64 = try arguments.integer()
        let modified: Int64 = try arguments.integer()
        try arguments.skip(8)
        let accessedFraction: UInt32 = try arguments.integer()
        let modifiedFraction: UInt32 = try arguments.integer()
        try arguments.skip(4)
        let mode: UInt32 = try arguments.integer()
        try arguments.skip(4)
        let newUser: UInt32 = try arguments.integer()
        let newGroup: UInt32 = try arguments.integer()
        let has = { (field: UInt32) in fields & field != 0 }

        let (file, _) = try place(of: request.node, .allowed)
        if has(Field.size) {
            try truncate(file, to: size, request, handle: has(Field.handle) ? number : nil)
            if has(Field.stripsPrivileges) { try stripPrivileges(file) }
        }
        if has(Field.mode) || has(Field.user) || has(Field.group) {
            try setOwner(
                file, mode: has(Field.mode) ? mode : nil, user: has(Field.user) ? newUser : nil,
                group: has(Field.group) ? newGroup : nil, stripsPrivileges: has(Field.user) || has(Field.group))
        }
        if has(Field.accessed) || has(Field.modified) {
            func time(_ isSet: Bool, _ isNow: Bool, _ seconds: Int64, _ fraction: UInt32) -> aerie_file_time {
                let kind = !isSet ? AERIE_FS_TIME_KEEP : isNow ? AERIE_FS_TIME_NOW : AERIE_FS_TIME_SET
                return aerie_file_time(
                    kind: Int32(kind), seconds: seconds, fraction: isSet && !isNow ? fraction : 0)
            }
            let times = (
                time(has(Field.accessed), has(Field.accessedNow), accessed, accessedFraction),
                time(has(Field.modified), has(Field.modifiedNow), modified, modifiedFraction)
            )
            _ = try host { aerie_fs_set_times(file.number, times.0, times.1) }
        }
        return .payload(try attributeReply(request.node, file, try FileStatus(file)))
    }

    private func truncate(
        _ place: OpenFile, to size: UInt64, _ request: FileRequest, handle: UInt64?
    ) throws(FileError) {
        guard let size = Int64(exactly: size) else { throw FileError(EFBIG) }
        if let handle,
            let open = try? state.withLock({ state throws(FileError) in try state.handles.file(handle) }),
            open.node == request.node, open.mayWrite
        {
            _ = try host { aerie_fs_truncate(open.file.number, size) }
        } else {
            let file = try reopen(place, try FileStatus(place), OpenFlags(raw: UInt32(O_WRONLY)))
            _ = try host { aerie_fs_truncate(file.number, size) }
        }
    }
}

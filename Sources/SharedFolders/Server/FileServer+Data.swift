internal import CFileSystem
internal import Glibc
internal import Synchronization

/// Open files and their contents.
extension FileServer {
    /// The guest's page cache keeps what it has of the file.
    private static let keepsCache: UInt32 = 2
    /// iovecs of one system call (IOV_MAX).
    private static let mostVectors = 1024

    /// Opens the file of a place again. Only regular files are opened: anything else could block, or act.
    func reopen(
        _ place: OpenFile, _ status: FileStatus, _ flags: OpenFlags, _ waiting: Waiting = .allowed
    ) throws(FileError) -> OpenFile {
        guard status.isRegular else { throw FileError(status.isDirectory ? EISDIR : EPERM) }
        let mayChange = flags.mayWrite || flags.truncates
        if mayChange, !ownership.knows(status.raw.owner) || !ownership.knows(status.raw.group) {
            throw FileError(EPERM)
        }
        // Files of other file systems may be windows to the host's kernel and to this process.
        if isPseudo || status.identity.device != rootIdentity.device {
            try waiting.require()
            guard !isPseudo, !Volume.isPseudo(place) else { throw FileError(EPERM) }
        }
        return try asOwner(of: place, waiting: waiting) { () throws(FileError) in
            OpenFile(
                owning: try host {
                    aerie_fs_reopen(descriptors.number, place.number, flags.host, waiting.isImmediate ? 1 : 0)
                })
        }
    }

    /// struct fuse_open_in: flags, and in bit 0 of the second word whether privileges go.
    func open(
        _ request: FileRequest, _ arguments: inout ArgumentReader, _ waiting: Waiting
    ) throws(FileError) -> FileReply {
        let flags = OpenFlags(raw: try arguments.integer())
        let options: UInt32 = try arguments.integer()
        if flags.mayWrite || flags.truncates {
            guard !isReadOnly else { throw FileError(EROFS) }
            try waiting.require()
        }
        try state.withLock { state throws(FileError) in try state.handles.checkRoom() }
        let (place, status) = try located(request.node, waiting)
        let file = try reopen(place, status, flags, waiting)
        if flags.truncates, options & 1 != 0 { try stripPrivileges(file) }
        let number = try addHandle(request.node, file, flags)
        return .payload(openReply(number, status, flags, of: request.node))
    }

    private func addHandle(_ node: UInt64, _ file: OpenFile, _ flags: OpenFlags) throws(FileError) -> UInt64 {
        try state.withLock { state throws(FileError) in
            try state.handles.checkRoom()
            let number = state.handles.add(Handle(node: node, file: file, flags: flags.raw, entries: nil))
            state.nodes.open(node, handle: number, file)
            return number
        }
    }

    /// struct fuse_open_out: handle, flags.
    private func openReply(
        _ number: UInt64, _ status: FileStatus, _ flags: OpenFlags, of node: UInt64
    ) -> [UInt8] {
        let keeps = state.withLock { state in
            let isSame = (try? state.nodes.node(node))?.content == status.contentVersion
            state.nodes.note(status.contentVersion, of: node)
            return isSame && !flags.truncates
        }
        var reply = ReplyBytes(capacity: 16)
        reply.add(number)
        reply.add(keeps ? Self.keepsCache : 0)
        reply.add(UInt32(0))
        return reply.bytes
    }

    /// struct fuse_release_in begins with the handle.
    func release(
        _ request: FileRequest, _ arguments: inout ArgumentReader, _ waiting: Waiting
    ) throws(FileError) -> FileReply {
        let number: UInt64 = try arguments.integer()
        let closing = try state.withLock { state throws(FileError) in
            // Closing a file that was written to may start writing it out, and one without a name gives its space back.
            if let handle = state.handles.handles[number], handle.mayWrite || state.nodes.isPinned(handle.node) {
                try waiting.require()
            }
            guard let handle = state.handles.remove(number) else { throw FileError(EBADF) }
            let rest = state.handles
            state.nodes.close(handle.node, handle: number) { rest.handles[$0]?.file }
            return (handle, state.nodes.takeClosing())
        }
        // The last use of the descriptors, outside of the lock.
        withExtendedLifetime(closing) {}
        return .payload([])
    }

    // MARK: Reading and writing

    /// struct fuse_read_in: handle, offset, size.
    func read(
        _ request: FileRequest, _ arguments: inout ArgumentReader, _ waiting: Waiting
    ) throws(FileError) -> FileReply {
        let number: UInt64 = try arguments.integer()
        let offset = try arguments.offset()
        let size: UInt32 = try arguments.integer()
        let handle = try state.withLock { state throws(FileError) in try state.handles.file(number) }
        let wanted = min(Int(size), request.output.count, FileRequest.maximumTransfer)
        guard offset <= Int64.max - Int64(wanted) else { throw .malformed }
        var done = 0
        while done < wanted {
            let vectors = request.output.slice(from: done, count: wanted - done, limit: Self.mostVectors)
            // Fewer bytes than asked for mean the file's end to the guest, so that there is one more try until there are none.
            let count = try host {
                aerie_fs_read(
                    handle.file.number, vectors, Int32(vectors.count), offset + Int64(done),
                    waiting.isImmediate ? 1 : 0)
            }
            if count == 0 { break }
            done += Int(count)
        }
        return .filled(done)
    }

    /// struct fuse_write_in: handle, offset, size, flags, lock owner, flags of the open file. The data follow.
    func write(_ request: FileRequest, _ arguments: inout ArgumentReader) throws(FileError) -> FileReply {
        let number: UInt64 = try arguments.integer()
        let offset = try arguments.offset()
        let size: UInt32 = try arguments.integer()
        let options: UInt32 = try arguments.integer()
        try arguments.skip(8)
        let flags = OpenFlags(raw: try arguments.integer())
        let handle = try state.withLock { state throws(FileError) in try state.handles.file(number) }
        guard handle.mayWrite else { throw FileError(EBADF) }
        guard Int(size) <= request.input.count, Int(size) <= FileRequest.maximumTransfer,
            offset <= Int64.max - Int64(size)
        else { throw .malformed }
        // A page of the guest's cache that is written back has its place; only a write of a program appends.
        let isFromCache = options & 1 != 0
        let appends = flags.appends && !isFromCache
        var done = 0
        while done < Int(size) {
            let vectors = request.input.slice(from: done, count: Int(size) - done, limit: Self.mostVectors)
            do throws(FileError) {
                let count = try host {
                    aerie_fs_write(
                        handle.file.number, vectors, Int32(vectors.count), offset + Int64(done), appends ? 1 : 0)
                }
                guard count > 0 else { throw FileError(EIO) }
                done += Int(count)
            } catch {
                // What was written before counts.
                guard done > 0 else { throw error }
                break
            }
        }
        if options & 4 != 0 { try stripPrivileges(handle.file) }
        var reply = ReplyBytes(capacity: 8)
        reply.add(UInt32(done))
        reply.add(UInt32(0))
        return .payload(reply.bytes)
    }

    // MARK: Creating

    /// struct fuse_create_in: flags, mode, umask, options; the name follows.
    func create(
        _ request: FileRequest, _ arguments: inout ArgumentReader, isUnnamed: Bool
    ) throws(FileError) -> FileReply {
        let flags = OpenFlags(raw: try arguments.integer())
        let mode: UInt32 = try arguments.integer()
        try arguments.skip(8)
        let name = isUnnamed ? nil : try arguments.name()
        let directory = try directory(request.node)
        try state.withLock { state throws(FileError) in
            try state.handles.checkRoom()
            try state.nodes.checkRoom()
        }
        try checkMaker(request)
        let file: OpenFile
        var isNew = true
        do throws(FileError) {
            file = try asOwner(of: directory) { () throws(FileError) in
                OpenFile(
                    owning: try host { [name] in
                        if let name {
                            aerie_fs_create(directory.number, name.text, flags.host, hostMode(mode))
                        } else {
                            aerie_fs_create_unnamed(directory.number, flags.host, hostMode(mode))
                        }
                    })
            }
        } catch {
            guard error.code == EEXIST, !flags.isExclusive, let name else { throw error }
            isNew = false
            let place = try OpenFile.place(name, in: directory, cachedOnly: false)
            file = try reopen(place, try FileStatus(place), flags)
        }
        if isNew { try settle(file, mode: mode, request, in: directory) }
        let status = try FileStatus(file)
        let attributes = try attributes(status, file, .allowed)
        let node = try state.withLock { state throws(FileError) in
            try state.nodes.learn(status, parent: request.node, name: name, place: file)
        }
        let number = try addHandle(node, file, flags)
        var reply = ReplyBytes(capacity: 144)
        GuestAttributes.addEntry((node, attributes), to: &reply)
        reply.add(openReply(number, status, flags, of: node))
        return .payload(reply.bytes)
    }

    // MARK: Space and durability

    /// Data and space of a file or of the whole file system.
    func changeData(
        _ operation: Opcode, _ request: FileRequest, _ arguments: inout ArgumentReader
    ) throws(FileError) -> FileReply {
        switch operation {
        case .volume: return try volume(request)
        case .synchronizeVolume:
            let directory = try self.root.openDirectory()
            _ = try host { aerie_fs_sync_volume(directory.number) }
            return .payload([])
        case .synchronize, .synchronizeDirectory:
            let number: UInt64 = try arguments.integer()
            let options: UInt32 = try arguments.integer()
            let file = try state.withLock { state throws(FileError) in
                operation == .synchronize
                    ? try state.handles.file(number).file : try state.handles.directory(number).handle.file
            }
            _ = try host { aerie_fs_sync(file.number, Int32(options & 1)) }
            return .payload([])
        case .allocate: return try allocate(&arguments)
        case .seek: return try seek(&arguments)
        default: return try copyRange(&arguments)
        }
    }

    /// struct fuse_kstatfs.
    private func volume(_ request: FileRequest) throws(FileError) -> FileReply {
        let status = try Volume.status(try place(of: request.node, .allowed).file)
        var reply = ReplyBytes(capacity: 80)
        for value in [status.blocks, status.freeBlocks, status.availableBlocks, status.files, status.freeFiles] {
            reply.add(value)
        }
        for value in [status.blockSize, status.nameLength, status.fragmentSize] { reply.add(value) }
        reply.add(zeroes: 28)
        return .payload(reply.bytes)
    }

    /// struct fuse_fallocate_in: handle, offset, length, mode.
    private func allocate(_ arguments: inout ArgumentReader) throws(FileError) -> FileReply {
        let number: UInt64 = try arguments.integer()
        let offset = try arguments.offset()
        let length = try arguments.offset()
        let mode: UInt32 = try arguments.integer()
        // FALLOC_FL_KEEP_SIZE, PUNCH_HOLE and ZERO_RANGE.
        guard mode & ~0x13 == 0 else { throw FileError(EOPNOTSUPP) }
        let handle = try writable(number)
        _ = try host { aerie_fs_allocate(handle.file.number, mode, offset, length) }
        return .payload([])
    }

    private func writable(_ number: UInt64) throws(FileError) -> Handle {
        let handle = try state.withLock { state throws(FileError) in try state.handles.file(number) }
        guard handle.mayWrite else { throw FileError(EBADF) }
        return handle
    }

    /// struct fuse_lseek_in: handle, offset, kind of search.
    private func seek(_ arguments: inout ArgumentReader) throws(FileError) -> FileReply {
        let number: UInt64 = try arguments.integer()
        let offset = try arguments.offset()
        let kind: UInt32 = try arguments.integer()
        let handle = try state.withLock { state throws(FileError) in try state.handles.file(number) }
        guard kind == 3 || kind == 4 else { throw .malformed }
        let found = try host { aerie_fs_seek(handle.file.number, offset, kind == 4 ? 1 : 0) }
        var reply = ReplyBytes(capacity: 8)
        reply.add(found)
        return .payload(reply.bytes)
    }

    /// struct fuse_copy_file_range_in: handle and offset of the source; node, handle and offset of the target; length, flags.
    private func copyRange(_ arguments: inout ArgumentReader) throws(FileError) -> FileReply {
        let from: UInt64 = try arguments.integer()
        let fromOffset = try arguments.offset()
        try arguments.skip(8)
        let to: UInt64 = try arguments.integer()
        let toOffset = try arguments.offset()
        let length: UInt64 = try arguments.integer()
        let flags: UInt64 = try arguments.integer()
        guard flags == 0 else { throw .malformed }
        let source = try state.withLock { state throws(FileError) in try state.handles.file(from) }
        let target = try writable(to)
        // In steps, so that no request takes for ever; the guest asks again.
        let step = Int(min(length, 64 << 20))
        let count = try host {
            aerie_fs_copy(source.file.number, fromOffset, target.file.number, toOffset, step)
        }
        var reply = ReplyBytes(capacity: 8)
        reply.add(UInt32(count))
        reply.add(UInt32(0))
        return .payload(reply.bytes)
    }
}

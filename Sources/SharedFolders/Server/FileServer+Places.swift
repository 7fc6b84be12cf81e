internal import CFileSystem
internal import Glibc
internal import Synchronization

/// Finding the files that the guest's numbers stand for.
extension FileServer {
    /// A descriptor of a file, which may be an O_PATH one, and its attributes if they were looked at on the way.
    func place(of identifier: UInt64, _ waiting: Waiting) throws(FileError) -> (file: OpenFile, status: FileStatus?) {
        if waiting.isImmediate {
            let node = try state.withLock { state throws(FileError) in try state.nodes.node(identifier) }
            if node.identity.device != rootIdentity.device { throw .wouldBlock }
        }
        if let file = state.withLock({ $0.nodes.usePlace(identifier) }) { return (file, nil) }
        let (names, start) = try state.withLock { state throws(FileError) in try state.nodes.path(to: identifier) }
        var found: (file: OpenFile, status: FileStatus?) = (start, nil)
        for (identifier, node) in names.reversed() {
            guard let name = node.name else { throw .stale }
            do throws(FileError) {
                let file = try OpenFile.place(name, in: found.file, cachedOnly: waiting.isImmediate)
                found = (file, try FileStatus(file))
            } catch {
                throw error.code == ENOENT || error.code == ENOTDIR ? .stale : error
            }
            // The host has put another file there.
            guard found.status?.identity == node.identity else { throw .stale }
            if node.identity.type == UInt32(S_IFDIR) {
                state.withLock { [found] in $0.nodes.keep(found.file, of: identifier) }
            }
        }
        return found
    }

    /// A directory to find entries in.
    func directory(_ identifier: UInt64, _ waiting: Waiting = .allowed) throws(FileError) -> OpenFile {
        let node = try state.withLock { state throws(FileError) in try state.nodes.node(identifier) }
        guard node.identity.type == UInt32(S_IFDIR) else { throw FileError(ENOTDIR) }
        return try place(of: identifier, waiting).file
    }

    /// Attributes and a descriptor of a file.
    func located(_ identifier: UInt64, _ waiting: Waiting = .allowed) throws(FileError) -> (OpenFile, FileStatus) {
        let (file, status) = try place(of: identifier, waiting)
        if let status { return (file, status) }
        return (file, try FileStatus(file))
    }

    /// What the guest is told of a file.
    ///
    /// - Parameter file: a descriptor of the file if there is one, or the directory in which it has this name.
    func attributes(
        _ status: FileStatus, _ file: OpenFile?, or entry: (name: FileName, directory: OpenFile)? = nil,
        _ waiting: Waiting
    ) throws(FileError) -> GuestAttributes {
        var record: OwnerRecord?
        if ownership == .caller, OwnerRecord.isMarked(status) {
            try waiting.require()
            if let file {
                record = OwnerRecord.read(file)
            } else if let entry, let place = try? OpenFile.place(entry.name, in: entry.directory, cachedOnly: false),
                (try? FileStatus(place))?.identity == status.identity
            {
                record = OwnerRecord.read(place)
            }
        }
        return GuestAttributes(status, record, ownership, rootDevice: rootIdentity.device)
    }

    // MARK: Looking up

    func lookUp(
        _ request: FileRequest, _ arguments: inout ArgumentReader, _ waiting: Waiting
    ) throws(FileError) -> FileReply {
        let name = try arguments.name()
        let directory = try directory(request.node, waiting)
        do throws(FileError) {
            return .payload(try entry(name, in: directory, request.node, waiting).bytes)
        } catch  where error.code == ENOENT {
            // The guest may remember that there is nothing, as long as any other answer.
            var reply = ReplyBytes(capacity: 128)
            GuestAttributes.addEntry(nil, to: &reply)
            return .payload(reply.bytes)
        }
    }

    /// Tells the guest of an entry, which counts as a use.
    func entry(
        _ name: FileName, in directory: OpenFile, _ parent: UInt64, _ waiting: Waiting = .allowed
    ) throws(FileError) -> ReplyBytes {
        let place =
            waiting.isImmediate ? try OpenFile.place(name, in: directory, cachedOnly: true) : nil
        let status = if let place { try FileStatus(place) } else { try FileStatus(name, in: directory) }
        let attributes = try attributes(status, place, or: (name, directory), waiting)
        let identifier = try state.withLock { state throws(FileError) in
            try state.nodes.learn(status, parent: parent, name: name, place: status.isDirectory ? place : nil)
        }
        var reply = ReplyBytes(capacity: 144)
        GuestAttributes.addEntry((identifier, attributes), to: &reply)
        return reply
    }

    /// struct fuse_forget_in has a count; struct fuse_batch_forget_in a number of pairs of node and count.
    func forget(
        _ request: FileRequest, _ arguments: inout ArgumentReader, isMany: Bool, _ waiting: Waiting
    ) throws(FileError) -> FileReply {
        guard isMany else {
            let count: UInt64 = try arguments.integer()
            let closing = try state.withLock { state throws(FileError) in
                if state.nodes.isPinned(request.node), request.node != NodeTable.root { try waiting.require() }
                state.nodes.forget(request.node, count)
                return state.nodes.takeClosing()
            }
            withExtendedLifetime(closing) {}
            return .none
        }
        try waiting.require()
        let count: UInt32 = try arguments.integer()
        try arguments.skip(4)
        guard Int(count) <= request.body.count / 16 else { throw .malformed }
        for _ in 0..<count {
            let node: UInt64 = try arguments.integer()
            let uses: UInt64 = try arguments.integer()
            let closing = state.withLock { state in
                state.nodes.forget(node, uses)
                return state.nodes.takeClosing()
            }
            withExtendedLifetime(closing) {}
        }
        return .none
    }

    // MARK: Attributes

    /// struct fuse_getattr_in: flags, of which 1 says that a handle follows.
    func getAttributes(
        _ request: FileRequest, _ arguments: inout ArgumentReader, _ waiting: Waiting
    ) throws(FileError) -> FileReply {
        let (file, status) = try described(request, &arguments, waiting)
        return .payload(try attributeReply(request.node, file, status, waiting))
    }

    func attributeReply(
        _ identifier: UInt64, _ file: OpenFile, _ status: FileStatus, _ waiting: Waiting = .allowed
    ) throws(FileError) -> [UInt8] {
        let attributes = try attributes(status, file, waiting)
        var reply = ReplyBytes(capacity: 104)
        reply.add(UInt64(0))
        reply.add(Self.validity)
        reply.add(UInt32(0))
        attributes.add(to: &reply)
        return reply.bytes
    }

    /// struct fuse_statx_in begins as struct fuse_getattr_in.
    func getStatus(
        _ request: FileRequest, _ arguments: inout ArgumentReader, _ waiting: Waiting
    ) throws(FileError) -> FileReply {
        let (file, status) = try described(request, &arguments, waiting)
        let attributes = try attributes(status, file, waiting)
        var reply = ReplyBytes(capacity: 288)
        reply.add(UInt64(0))
        reply.add(Self.validity)
        reply.add(zeroes: 20)
        attributes.addStatus(to: &reply)
        return .payload(reply.bytes)
    }

    private func described(
        _ request: FileRequest, _ arguments: inout ArgumentReader, _ waiting: Waiting
    ) throws(FileError) -> (OpenFile, FileStatus) {
        let flags: UInt32 = try arguments.integer()
        try arguments.skip(4)
        let number: UInt64 = try arguments.integer()
        if flags & 1 != 0,
            let handle = try? state.withLock({ state throws(FileError) in
                try state.handles.file(number)
            }), handle.node == request.node
        {
            return (handle.file, try FileStatus(handle.file))
        }
        return try located(request.node, waiting)
    }
}

internal import CFileSystem
internal import Glibc
internal import Synchronization

/// Making, removing and moving entries of directories.
extension FileServer {
    func changeNames(
        _ operation: Opcode, _ request: FileRequest, _ arguments: inout ArgumentReader
    ) throws(FileError) -> FileReply {
        switch operation {
        case .readLink: return try readLink(request)
        case .makeSymlink:
            let name = try arguments.name()
            let target = try arguments.text()
            // An empty target exists nowhere (PATH_MAX bounds the others).
            guard target.count > 1, target.count <= 4096 else {
                throw FileError(target.count > 1 ? ENAMETOOLONG : ENOENT)
            }
            return try make(name, mode: UInt32(S_IFLNK) | 0o777, request) { directory in
                aerie_fs_make_symlink(target, directory, name.text)
            }
        case .makeNode:
            let mode: UInt32 = try arguments.integer()
            try arguments.skip(12)
            let name = try arguments.name()
            let type = mode & UInt32(S_IFMT)
            guard [UInt32(S_IFREG), UInt32(S_IFIFO), UInt32(S_IFSOCK)].contains(type) else { throw FileError(EPERM) }
            return try make(name, mode: mode, request) { directory in
                aerie_fs_make_node(directory, name.text, type | self.hostMode(mode))
            }
        case .makeDirectory:
            let mode: UInt32 = try arguments.integer()
            try arguments.skip(4)
            let name = try arguments.name()
            return try make(name, mode: mode, request) { directory in
                aerie_fs_make_directory(directory, name.text, self.hostMode(mode))
            }
        case .unlink, .removeDirectory:
            return try remove(try arguments.name(), request, isDirectory: operation == .removeDirectory)
        case .link: return try link(request, &arguments)
        default: return try rename(request, &arguments, hasFlags: operation == .renameWithFlags)
        }
    }

    private func readLink(_ request: FileRequest) throws(FileError) -> FileReply {
        let (file, status) = try located(request.node)
        guard status.isSymlink else { throw .malformed }
        var target = [CChar](repeating: 0, count: 4096)
        let count = try host { aerie_fs_read_symlink(file.number, &target, target.count) }
        guard count <= request.room else { throw FileError(ENAMETOOLONG) }
        return .payload(target[..<Int(count)].map { UInt8(bitPattern: $0) })
    }

    private func make(
        _ name: FileName, mode: UInt32, _ request: FileRequest, _ body: (Int32) -> Int32
    ) throws(FileError) -> FileReply {
        let directory = try directory(request.node)
        try state.withLock { state throws(FileError) in try state.nodes.checkRoom() }
        try checkMaker(request)
        try asOwner(of: directory) { () throws(FileError) in _ = try host { body(directory.number) } }
        let place = try OpenFile.place(name, in: directory, cachedOnly: false)
        try settle(place, mode: mode, request, in: directory)
        return .payload(try entry(name, in: directory, request.node).bytes)
    }

    /// Keeps a file in reach that is about to lose a name, if the guest has it open or knows it by other names.
    ///
    /// - Returns: the number by which the guest knows it.
    private func pin(_ name: FileName, in directory: OpenFile) -> UInt64? {
        guard let status = try? FileStatus(name, in: directory),
            let known = state.withLock({ $0.nodes.identifier(of: status.identity) })
        else { return nil }
        let isOpen =
            (try? state.withLock { state throws(FileError) in try state.nodes.node(known) })?.handles.isEmpty == false
        guard isOpen || !status.isDirectory && status.raw.links > 1 else { return known }
        guard let place = try? OpenFile.place(name, in: directory, cachedOnly: false),
            (try? FileStatus(place))?.identity == status.identity
        else { return nil }
        let closing = state.withLock { state in
            state.nodes.keep(place, of: known, isPinned: true)
            return state.nodes.takeClosing()
        }
        withExtendedLifetime(closing) {}
        return known
    }

    private func remove(_ name: FileName, _ request: FileRequest, isDirectory: Bool) throws(FileError) -> FileReply {
        let directory = try directory(request.node)
        _ = pin(name, in: directory)
        try asOwner(of: directory) { () throws(FileError) in
            _ = try host { aerie_fs_unlink(directory.number, name.text, isDirectory ? 1 : 0) }
        }
        return .payload([])
    }

    /// struct fuse_link_in: the file; the request's node is the directory of the new name.
    private func link(_ request: FileRequest, _ arguments: inout ArgumentReader) throws(FileError) -> FileReply {
        let identifier: UInt64 = try arguments.integer()
        let name = try arguments.name()
        let directory = try directory(request.node)
        let (file, status) = try located(identifier)
        try asOwner(of: directory) { () throws(FileError) in
            if status.isSymlink {
                let node = try state.withLock { state throws(FileError) in try state.nodes.node(identifier) }
                guard let old = node.name else { throw .stale }
                let parent = try self.directory(node.parent)
                _ = try host { aerie_fs_link_symlink(parent.number, old.text, directory.number, name.text) }
            } else {
                _ = try host { aerie_fs_link(descriptors.number, file.number, directory.number, name.text) }
            }
        }
        return .payload(try entry(name, in: directory, request.node).bytes)
    }

    /// struct fuse_rename_in: new directory; struct fuse_rename2_in: also flags and padding. Both names follow.
    private func rename(
        _ request: FileRequest, _ arguments: inout ArgumentReader, hasFlags: Bool
    ) throws(FileError) -> FileReply {
        let newParent: UInt64 = try arguments.integer()
        let flags: UInt32 = hasFlags ? try arguments.integer() : 0
        if hasFlags { try arguments.skip(4) }
        let old = try arguments.name()
        let new = try arguments.name()
        // RENAME_NOREPLACE or RENAME_EXCHANGE. A whiteout is a device.
        guard flags <= 2 else { throw .malformed }
        let from = try directory(request.node)
        let to = try directory(newParent)
        let target = pin(new, in: to)
        let moved = (try? FileStatus(old, in: from)).flatMap { status in
            state.withLock { $0.nodes.identifier(of: status.identity) }
        }
        try asOwner(of: from, to) { () throws(FileError) in
            _ = try host { aerie_fs_rename(from.number, old.text, to.number, new.text, flags) }
        }
        state.withLock { state in
            if let moved { state.nodes.move(moved, to: newParent, new) }
            if flags == 2, let target { state.nodes.move(target, to: request.node, old) }
        }
        return .payload([])
    }
}

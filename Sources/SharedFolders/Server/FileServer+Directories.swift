internal import CFileSystem
internal import Glibc
internal import Synchronization

/// Listing directories.
extension FileServer {
    /// The longest list of one answer.
    private static let longestList = 128 << 10

    func openDirectory(_ request: FileRequest) throws(FileError) -> FileReply {
        try state.withLock { state throws(FileError) in try state.handles.checkRoom() }
        let place = try directory(request.node)
        let file = try asOwner(of: place) { () throws(FileError) in try place.openDirectory() }
        let entries = DirectoryEntries(file)
        let number = try state.withLock { state throws(FileError) in
            try state.handles.checkRoom()
            let number = state.handles.add(Handle(node: request.node, file: file, flags: 0, entries: entries))
            state.nodes.open(request.node, handle: number, place)
            return number
        }
        var reply = ReplyBytes(capacity: 16)
        reply.add(number)
        reply.add(UInt64(0))
        return .payload(reply.bytes)
    }

    /// struct fuse_read_in: handle, offset, size. The answer is a list of struct fuse_dirent: number of the file, offset of the next entry,
    /// length of the name, type, name, padding to 8 bytes; or of struct fuse_direntplus, which begins with a struct fuse_entry_out.
    func readDirectory(
        _ request: FileRequest, _ arguments: inout ArgumentReader, isPlus: Bool
    ) throws(FileError) -> FileReply {
        let number: UInt64 = try arguments.integer()
        let offset: UInt64 = try arguments.integer()
        let size: UInt32 = try arguments.integer()
        let (handle, entries) = try state.withLock { state throws(FileError) in try state.handles.directory(number) }
        let limit = min(Int(size), request.room, Self.longestList)
        let place = isPlus ? try directory(handle.node) : nil
        var reply = ReplyBytes(capacity: min(limit, 4096))
        try entries.read(from: Int64(bitPattern: offset)) { entry throws(FileError) in
            let length = (isPlus ? 128 : 0) + (24 + entry.name.count + 7) & ~7
            guard reply.count + length <= limit else { return false }
            if let place {
                guard try addPlus(entry, place, handle.node, to: &reply) else { return true }
            }
            reply.add(entry.inode)
            reply.add(entry.next)
            reply.add(UInt32(entry.name.count))
            reply.add(UInt32(entry.type))
            reply.add(entry.name)
            reply.add(zeroes: -(24 + entry.name.count) & 7)
            return true
        }
        return .payload(reply.bytes)
    }

    /// - Returns: false for an entry that is gone already.
    private func addPlus(
        _ entry: DirectoryEntry, _ directory: OpenFile, _ parent: UInt64, to reply: inout ReplyBytes
    ) throws(FileError) -> Bool {
        // The guest knows `.` and `..` itself.
        guard let name = FileName(entry: entry.name) else {
            GuestAttributes.addEntry(nil, to: &reply)
            return true
        }
        do throws(FileError) {
            reply.add(try self.entry(name, in: directory, parent).bytes)
            return true
        } catch  where error.code == ENOENT {
            return false
        } catch {
            // The name alone: whoever wants more hears of the error then.
            GuestAttributes.addEntry(nil, to: &reply)
            return true
        }
    }
}

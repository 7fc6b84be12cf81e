internal import CFileSystem
internal import Glibc

/// Extended attributes.
///
/// A share that shows owners other than the host's has those of users only: others give files a meaning on the host (capabilities,
/// security labels) that the guest must not choose.
extension FileServer {
    private static let ownPrefix = Array("user.aerie.".utf8)
    private static let userPrefix = Array("user.".utf8)
    /// XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux.
    private static let largestValue = 65536

    func extended(
        _ operation: Opcode, _ request: FileRequest, _ arguments: inout ArgumentReader
    ) throws(FileError) -> FileReply {
        let file = try attributed(request.node)
        switch operation {
        case .getExtended:
            let size: UInt32 = try arguments.integer()
            try arguments.skip(4)
            let name = try attributeName(&arguments, missing: ENODATA)
            return try sized(size, request) { aerie_fs_get_attribute(file.number, name, $0, $1) }
        case .listExtended: return try list(file, size: try arguments.integer(), request)
        case .setExtended:
            let size: UInt32 = try arguments.integer()
            let flags: UInt32 = try arguments.integer()
            let name = try attributeName(&arguments, missing: EPERM)
            guard size <= Self.largestValue else { throw FileError(E2BIG) }
            let value = try arguments.data(Int(size))
            // XATTR_CREATE and XATTR_REPLACE.
            guard flags & ~3 == 0 else { throw .malformed }
            try asOwner(of: file) { () throws(FileError) in
                _ = try host { aerie_fs_set_attribute(file.number, name, value, value.count, Int32(flags)) }
            }
        default:
            let name = try attributeName(&arguments, missing: ENODATA)
            try asOwner(of: file) { () throws(FileError) in
                _ = try host { aerie_fs_remove_attribute(file.number, name) }
            }
        }
        return .payload([])
    }

    /// Symbolic links have no attributes of users, and a path to one would be followed.
    private func attributed(_ node: UInt64) throws(FileError) -> OpenFile {
        let (file, status) = try located(node)
        guard status.isRegular || status.isDirectory else { throw FileError(EOPNOTSUPP) }
        return file
    }

    private func attributeName(_ arguments: inout ArgumentReader, missing: Int32) throws(FileError) -> [CChar] {
        let name = try arguments.text()
        // XATTR_NAME_MAX.
        guard name.count > 1, name.count <= 256 else { throw FileError(ERANGE) }
        guard isVisible(name.dropLast().map { UInt8(bitPattern: $0) }) else {
            throw FileError(name.starts(with: OwnerRecord.attribute.dropLast()) ? missing : EOPNOTSUPP)
        }
        return name
    }

    private func isVisible(_ name: some Collection<UInt8>) -> Bool {
        if name.starts(with: Self.ownPrefix) { return false }
        return ownership == .pass || name.starts(with: Self.userPrefix)
    }

    /// struct fuse_getxattr_out has the size of the value when the guest asks for it with a size of 0.
    private func sized(
        _ size: UInt32, _ request: FileRequest, _ body: (UnsafeMutableRawPointer?, Int) -> Int64
    ) throws(FileError) -> FileReply {
        if size == 0 { return sizeReply(Int(try host { body(nil, 0) })) }
        var value = [UInt8](repeating: 0, count: min(Int(size), request.room, Self.largestValue))
        // To the host, a size of 0 is a question.
        guard !value.isEmpty else { throw FileError(ERANGE) }
        let count = try host { value.withUnsafeMutableBytes { body($0.baseAddress, $0.count) } }
        return .payload(Array(value[..<Int(count)]))
    }

    private func sizeReply(_ size: Int) -> FileReply {
        var reply = ReplyBytes(capacity: 8)
        reply.add(UInt32(size))
        reply.add(UInt32(0))
        return .payload(reply.bytes)
    }

    private func list(_ file: OpenFile, size: UInt32, _ request: FileRequest) throws(FileError) -> FileReply {
        var names = [CChar](repeating: 0, count: Self.largestValue)
        let count = try host { aerie_fs_list_attributes(file.number, &names, names.count) }
        let bytes = names[..<Int(count)].map { UInt8(bitPattern: $0) }
        let visible = bytes.split(separator: 0).filter { isVisible($0) }.flatMap { $0 + [0] }
        if size == 0 { return sizeReply(visible.count) }
        guard visible.count <= min(Int(size), request.room) else { throw FileError(ERANGE) }
        return .payload(visible)
    }
}

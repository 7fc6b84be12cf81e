internal import CFileSystem
internal import Glibc
internal import Synchronization

/// Serves the files below one directory of the host by the FUSE protocol, version 7.31 and later.
///
/// Nothing outside of the directory can be reached: a request names a file by a number that it was told, or by a name of one component
/// in such a directory, and no symbolic link is followed. The guest's kernel checks permissions by the attributes that it is told; the host
/// checks those of this process.
///
/// Requests may be served by several threads at a time. Locks of files are the guest's own.
package final class FileServer: Sendable {
    struct State {
        var nodes: NodeTable
        var handles: HandleTable
    }

    /// Bounds on what a guest can make the host keep.
    package struct Limits: Sendable {
        /// Files that the guest knows.
        package var nodes = 1 << 18
        /// Descriptors of directories.
        package var places = 4096
        /// Files that the guest has open.
        package var handles = 4096

        package init() {}

        /// - Parameters:
        ///   - memory: of the guest in bytes. A file that Linux knows takes more than a kilobyte of it.
        ///   - shares: how many the machine has; they divide the descriptors of the process, whose limit is raised.
        package init(memory: UInt64, shares: Int) {
            nodes = Int(clamping: max(memory >> 10, 1 << 16))
            let descriptors = Int(clamping: aerie_fs_raise_descriptor_limit())
            places = min(max(descriptors / 4 / max(shares, 1), 16), 16384)
            handles = places
        }
    }

    /// How long the guest may use attributes and names without asking again, in nanoseconds: less than a second, after
    /// which it has to see what the host has changed.
    static let validity: UInt32 = 900_000_000

    let root: OpenFile
    let rootIdentity: FileIdentity
    let descriptors: OpenFile
    let ownership: Ownership
    let isReadOnly: Bool
    let limits: Limits
    /// Whether the file system answers from memory what it has there. Others may ask a server at any time.
    package let isLocal: Bool
    let isPseudo: Bool
    let user = aerie_fs_user()
    let group = aerie_fs_group()
    let state: Mutex<State>
    /// Held while a permission of a file is widened for a moment.
    let widening = Mutex(())

    /// - Parameters:
    ///   - path: of the directory.
    ///   - ownership: who the guest sees as owners.
    ///   - isReadOnly: whether every change is refused.
    package init(
        path: String, ownership: Ownership, isReadOnly: Bool, limits: Limits = Limits()
    ) throws(FileError) {
        let root = try OpenFile.root(path)
        descriptors = try OpenFile.descriptors()
        rootIdentity = try FileStatus(root).identity
        self.root = root
        self.ownership = ownership
        self.isReadOnly = isReadOnly
        self.limits = limits
        isLocal = Volume.isLocal(root)
        isPseudo = Volume.isPseudo(root)
        state = Mutex(
            State(
                nodes: NodeTable(
                    root: root, identity: rootIdentity, nodeLimit: limits.nodes, placeLimit: limits.places),
                handles: HandleTable(limit: limits.handles)))
    }

    /// What the share keeps for its guest at the moment.
    package struct Statistics: Equatable, Sendable {
        package let files: Int
        /// Descriptors besides those of handles and of the root.
        package let places: Int
        package let handles: Int
    }

    package var statistics: Statistics {
        state.withLock {
            Statistics(files: $0.nodes.count, places: $0.nodes.openPlaces, handles: $0.handles.handles.count)
        }
    }

    /// What a guest had open, which is closed by `close`.
    package final class Remains: Sendable {
        private let state: Mutex<State?>

        init(_ state: State) { self.state = Mutex(state) }

        /// Closes it. It may wait for the host.
        package func close() {
            let state = state.withLock { state in
                defer { state = nil }
                return state
            }
            withExtendedLifetime(state) {}
        }
    }

    /// Forgets what the guest knows and has open.
    package func reset() -> Remains {
        state.withLock { state in
            defer {
                state = State(
                    nodes: NodeTable(
                        root: root, identity: rootIdentity, nodeLimit: limits.nodes, placeLimit: limits.places),
                    handles: HandleTable(limit: limits.handles))
            }
            return Remains(state)
        }
    }

    /// Serves a request.
    ///
    /// - Parameter immediate: do nothing that could wait for a disk or a network.
    /// - Returns: nil when an immediate answer is not possible. Nothing has changed then.
    package func serve(_ request: FileRequest, immediate: Bool) -> FileReply? {
        guard let operation = Opcode(rawValue: request.operation) else {
            return .failure(ENOSYS)
        }
        if immediate, !mayBeImmediate(operation) { return nil }
        do throws(FileError) {
            guard request.body.count >= operation.argumentSize else { throw .malformed }
            if isReadOnly, operation.isChange { throw FileError(EROFS) }
            return try answer(operation, request, immediate: immediate)
        } catch {
            if immediate, error == .wouldBlock { return nil }
            return operation.isSilent ? FileReply.none : .failure(error.code)
        }
    }

    private func mayBeImmediate(_ operation: Opcode) -> Bool {
        switch operation {
        case .forget, .forgetMany, .interrupt: true
        case .initialize, .destroy, .lookup, .getAttributes, .read, .status, .open, .release, .releaseDirectory: isLocal
        default: false
        }
    }

    private func answer(
        _ operation: Opcode, _ request: FileRequest, immediate: Bool
    ) throws(FileError) -> FileReply {
        let waiting = Waiting(isImmediate: immediate)
        var arguments = ArgumentReader(request.body)
        switch operation {
        case .initialize: return try initialize(&arguments)
        case .destroy:
            reset().close()
            return .payload([])
        // An answer that comes in time is as good as one that was interrupted.
        case .interrupt: return .failure(ENOSYS)
        case .lookup: return try lookUp(request, &arguments, waiting)
        case .forget, .forgetMany: return try forget(request, &arguments, isMany: operation == .forgetMany, waiting)
        case .getAttributes: return try getAttributes(request, &arguments, waiting)
        case .status: return try getStatus(request, &arguments, waiting)
        case .setAttributes: return try setAttributes(request, &arguments)
        case .open: return try open(request, &arguments, waiting)
        case .read: return try read(request, &arguments, waiting)
        case .write: return try write(request, &arguments)
        case .release, .releaseDirectory: return try release(request, &arguments, waiting)
        case .create, .makeUnnamed:
            return try create(request, &arguments, isUnnamed: operation == .makeUnnamed)
        case .openDirectory: return try openDirectory(request)
        case .readDirectory, .readDirectoryPlus:
            return try readDirectory(request, &arguments, isPlus: operation == .readDirectoryPlus)
        case .readLink, .makeSymlink, .makeNode, .makeDirectory, .unlink, .removeDirectory, .rename, .renameWithFlags,
            .link:
            return try changeNames(operation, request, &arguments)
        case .volume, .synchronize, .synchronizeDirectory, .synchronizeVolume, .allocate, .seek, .copyRange:
            return try changeData(operation, request, &arguments)
        case .setExtended, .getExtended, .listExtended, .removeExtended:
            return try extended(operation, request, &arguments)
        }
    }

    /// struct fuse_init_in: major and minor version, read-ahead, flags.
    private func initialize(_ arguments: inout ArgumentReader) throws(FileError) -> FileReply {
        let major: UInt32 = try arguments.integer()
        let minor: UInt32 = try arguments.integer()
        let readAhead: UInt32 = try arguments.integer()
        let offered: UInt32 = try arguments.integer()
        guard major >= 7, major > 7 || minor >= 31 else { throw FileError(EPROTO) }
        // A guest that begins anew knows nothing any more.
        reset().close()
        var reply = ReplyBytes(capacity: 64)
        for value in [
            ProtocolVersion.major, ProtocolVersion.minor, min(readAhead, UInt32(FileRequest.maximumTransfer)),
            offered & ProtocolVersion.flags,
        ] { reply.add(value) }
        // Requests in the background, and from which number on writers wait.
        reply.add(UInt16(64))
        reply.add(UInt16(48))
        reply.add(UInt32(FileRequest.maximumTransfer))
        // Nanoseconds of a time stamp's step, and pages of a request.
        reply.add(UInt32(1))
        reply.add(UInt16(FileRequest.maximumTransfer >> 12))
        reply.add(zeroes: 64 - reply.count)
        return .payload(reply.bytes)
    }
}

/// Whether a request may wait for the host.
struct Waiting {
    let isImmediate: Bool

    static let allowed = Waiting(isImmediate: false)

    /// Throws unless waiting is allowed.
    func require() throws(FileError) {
        if isImmediate { throw .wouldBlock }
    }
}

/// The version of the protocol, and what of it is used.
enum ProtocolVersion {
    static let major: UInt32 = 7
    static let minor: UInt32 = 39

    /// FUSE_ASYNC_READ, FUSE_ATOMIC_O_TRUNC, FUSE_BIG_WRITES, FUSE_AUTO_INVAL_DATA, FUSE_DO_READDIRPLUS, FUSE_ASYNC_DIO,
    /// FUSE_PARALLEL_DIROPS, FUSE_MAX_PAGES, FUSE_CACHE_SYMLINKS and FUSE_HANDLE_KILLPRIV_V2. Not FUSE_READDIRPLUS_AUTO: lists come a
    /// page at a time, and only the first would have attributes. Not FUSE_WRITEBACK_CACHE: a guest that holds writes back does not
    /// see what the host changes.
    static let flags: UInt32 = [0, 3, 5, 12, 13, 15, 18, 22, 23, 28].reduce(0) { $0 | 1 << $1 }
}

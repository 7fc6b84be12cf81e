internal import Glibc
internal import HostSystem
package import SavedState

/// A raw disk whose transfers go past the host's page cache (O_DIRECT).
///
/// The host wants whole blocks at multiples of `block`, in memory too. A request that is not aligned so goes through a buffer of
/// its own. A write of part of a block reads the rest of it first: no other write is in progress meanwhile, so that none is lost.
package final class DirectDiskImage: DiskImage {
    /// Bytes: no host's file system or device wants more.
    static let block: UInt64 = 4096

    /// Locks the file, and does what moves no data.
    private let base: RawDiskImage
    /// The same file without the page cache.
    private let direct: FileDescriptor
    private let gate = WriteGate()

    /// Opens and locks `path`, whose size is a multiple of `block`.
    ///
    /// - Parameter files: has the file open; nil opens it.
    package init(path: String, readOnly: Bool, files: DiskFiles? = nil) throws(DiskImageError) {
        base = try RawDiskImage(path: path, readOnly: readOnly, files: files)
        guard base.size % Self.block == 0, base.size == base.fileSize else {
            throw .unsupported(
                path: path, found: "cache=none needs a size in blocks of 4096 bytes, and the disk has \(base.fileSize)",
                advice: "extend it with 'aerie disk resize', or use cache=writeback")
        }
        direct =
            if let files { try files.descriptor(path, isDirect: true) } else {
                try Self.openDirect(base.file, path: path, readOnly: readOnly)
            }
    }

    /// Opens a file once more, without the page cache. This opening has no lock, which is that of `file`.
    static func openDirect(
        _ file: borrowing FileDescriptor, path: String, readOnly: Bool
    ) throws(DiskImageError) -> FileDescriptor {
        do throws(SystemError) {
            // By its descriptor, so that it is the same file.
            let direct = try FileDescriptor(
                path: "/proc/self/fd/\(file.rawValue)", flags: (readOnly ? O_RDONLY : O_RDWR) | directFlag)
            // Some file systems refuse only the transfer.
            let probe = AlignedBuffer(count: Int(Self.block))
            _ = try direct.read(at: 0, into: probe.bytes)
            return direct
        } catch {
            guard error.code == EINVAL else { throw .cannotOpen(path: path, error) }
            throw .unsupported(
                path: path, found: "the file system has no direct I/O, which cache=none needs",
                advice: "use cache=writeback")
        }
    }

    /// O_DIRECT, which Swift does not import: it differs between architectures.
    private static var directFlag: Int32 {
        #if arch(arm64)
            0x1_0000
        #else
            0x4000
        #endif
    }

    package var size: UInt64 { base.size }
    package var isReadOnly: Bool { base.isReadOnly }

    package func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try base.read(at: offset, into: buffers)
    }

    package func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try base.write(at: offset, from: buffers)
    }

    package func grow(to size: UInt64) throws(DiskImageError) {
        guard size % Self.block == 0 else { throw .notLarger(size: size, present: base.size) }
        try base.grow(to: size)
    }

    package func flush() throws(DiskImageError) { try base.flush() }

    package func discard(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        try base.discard(at: offset, count: count)
    }

    package func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        try base.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap)
    }

    package func close() { base.close() }
    package func handOver() throws(DiskImageError) { try base.handOver(direct: direct.rawValue) }

    package func stamp() throws(DiskImageError) -> DiskStamp? { try base.stamp() }

    package func takeBack(_ files: DiskFiles, isUnused: Bool) throws(DiskImageError) {
        let opened = try files.top(isDirect: true)
        try base.takeBack(files, isUnused: isUnused)
        do throws(SystemError) { try opened.replace(direct.rawValue) } catch { throw .system(error) }
    }

    package func save() throws(SavedStateError) -> SavedRecord { try base.save() }
    package func verify(_ saved: SavedRecord) throws(SavedStateError) { try base.verify(saved) }
}

// MARK: Submission

extension DirectDiskImage {
    package func submit(_ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion) {
        let isPossible = passes(in: group, completion: completion) { () throws(DiskImageError) in
            if request.operation != .read, request.operation != .flush { try checkWritable() }
            try checkRange(request.offset, request.count)
        }
        guard isPossible else { return }
        switch request.operation {
        case .read: read(request, in: group, completion)
        case .flush: base.submit(request, in: group, completion: completion)
        case .write:
            gate.enter(isExclusive: !Self.covers(request)) { [self] in
                write(request, in: group) { [self] error in
                    completion(error)
                    gate.leave()
                }
            }
        case .discard, .writeZeroes:
            // Of parts of blocks the host's page cache may hold a copy for a moment.
            gate.enter(isExclusive: !Self.covers(request)) { [self] in
                base.submit(request, in: group) { [self] error in
                    completion(error)
                    gate.leave()
                }
            }
        }
    }

    /// Whether a request is of whole blocks.
    private static func covers(_ request: DiskRequest) -> Bool { (request.offset | request.count) % block == 0 }

    /// Whether the host can use the request's memory itself.
    private static func isDirect(_ request: DiskRequest) -> Bool {
        covers(request)
            && request.buffers.vectors.allSatisfy {
                (UInt64(UInt(bitPattern: $0.iov_base)) | UInt64($0.iov_len)) % block == 0
            }
    }

    private func transfer(
        _ kind: FileTransfer.Kind, at offset: UInt64, _ buffers: IOBuffers, in group: IOGroup,
        _ completion: @escaping DiskCompletion
    ) {
        let transfer = FileTransfer(kind, direct, at: offset, buffers)
        // The completion keeps the file open.
        group.io.submit(
            FileOperation(transfer, in: group, isDirect: true) { [self] error in
                withExtendedLifetime(self) { completion(error) }
            })
    }

    private func read(_ request: DiskRequest, in group: IOGroup, _ completion: @escaping DiskCompletion) {
        if Self.isDirect(request) {
            return transfer(.read(present: base.fileSize), at: request.offset, request.buffers, in: group, completion)
        }
        let bounce = AlignedBuffer(covering: request)
        transfer(.read(present: base.fileSize), at: bounce.offset, bounce.buffers, in: group) { error in
            if error == nil { request.buffers.fill(from: UnsafeRawBufferPointer(bounce.part(of: request))) }
            completion(error)
        }
    }

    private func write(_ request: DiskRequest, in group: IOGroup, _ completion: @escaping DiskCompletion) {
        if Self.isDirect(request) {
            return transfer(.write, at: request.offset, request.buffers, in: group, completion)
        }
        let bounce = AlignedBuffer(covering: request)
        let writeAll: @Sendable () -> Void = { [self] in
            request.buffers.copy(to: bounce.part(of: request))
            transfer(.write, at: bounce.offset, bounce.buffers, in: group) { error in
                withExtendedLifetime(bounce) { completion(error) }
            }
        }
        if Self.covers(request) { return writeAll() }
        transfer(.read(present: base.fileSize), at: bounce.offset, bounce.buffers, in: group) { error in
            if let error { completion(error) } else { writeAll() }
        }
    }
}

internal import Glibc
internal import HostSystem
internal import Synchronization

/// A disk whose sectors lie one after the other in a regular file or on a block device.
///
/// The file is locked while it is open: shared for reading, exclusive for writing, against other programs and other images
/// of this one. A file whose size is not a multiple of 512 appears with its last sector filled up with zeroes; the first write
/// to that sector lets the file grow to whole sectors.
package final class RawDiskImage: DiskImage {
    private let extent: Atomic<UInt64>
    private let presentSize: Atomic<UInt64>
    package let isReadOnly: Bool
    let file: FileDescriptor
    let path: String
    private let synchronizes: Bool
    private let handover = DiskHandover()
    package var size: UInt64 { extent.load(ordering: .acquiring) }
    /// The bytes that the file had when it was opened or grew; less than `size` by the padding of the last sector.
    package var fileSize: UInt64 { presentSize.load(ordering: .acquiring) }

    /// Opens and locks `path`.
    ///
    /// - Parameters:
    ///   - synchronizes: false for a disk that may be lost when the host ends; a flush does nothing then.
    ///   - files: has the file open; nil opens it.
    package init(
        path: String, readOnly: Bool, synchronizes: Bool = true, files: DiskFiles? = nil
    ) throws(DiskImageError) {
        let opened = try LockedFile(path: path, readOnly: readOnly, files: files)
        let fileSize = opened.size
        presentSize = Atomic(fileSize)
        extent = Atomic((fileSize + sectorSize - 1) / sectorSize * sectorSize)
        file = opened.descriptor
        isReadOnly = readOnly
        self.path = path
        self.synchronizes = synchronizes && !readOnly
    }

    // A process that is being started may have a duplicate for a moment, which would keep the lock.
    deinit { file.unlock() }

    package func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try checkRange(offset, UInt64(buffers.count))
        try file.run(reading(at: offset, into: buffers))
    }

    package func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try checkChange(offset, UInt64(buffers.count))
        try file.writeAll(at: offset, from: buffers)
    }

    package func submit(_ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion) {
        let transfer: FileTransfer
        switch request.operation {
        case .read: transfer = reading(at: request.offset, into: request.buffers)
        case .write: transfer = FileTransfer(.write, file, at: request.offset, request.buffers)
        case .flush where !synchronizes: return group.io.finish(completion, nil)
        case .flush: transfer = FileTransfer(.synchronize, file)
        case .discard, .writeZeroes: return submitBlocking(request, in: group, completion: completion)
        }
        let isPossible = passes(in: group, completion: completion) { () throws(DiskImageError) in
            if request.operation == .write { try checkWritable() }
            try checkRange(request.offset, request.count)
        }
        guard isPossible else { return }
        // The completion keeps the file open.
        let operation = FileOperation(transfer, in: group) { [self] error in
            withExtendedLifetime(self) { completion(error) }
        }
        group.io.submit(operation)
    }

    private func reading(at offset: UInt64, into buffers: IOBuffers) -> FileTransfer {
        FileTransfer(.read(present: fileSize), file, at: offset, buffers)
    }

    package func close() { file.unlock() }

    package func handOver() throws(DiskImageError) { try handOver(direct: nil) }

    /// - Parameter direct: another descriptor of the file.
    func handOver(direct: Int32?) throws(DiskImageError) {
        try checkWritable()
        try handover.give(file, direct: direct)
    }

    package func takeBack(_ files: DiskFiles, isUnused: Bool) throws(DiskImageError) {
        try handover.take(try files.top(isDirect: false), path: path, file.rawValue, isUnused: isUnused)
    }

    package func stamp() throws(DiskImageError) -> DiskStamp? {
        guard !isReadOnly else { return nil }
        do throws(SystemError) { return try DiskStamp(file) } catch { throw .system(error) }
    }

    /// Only for a regular file. Of a block device the owner is the host.
    package func grow(to size: UInt64) throws(DiskImageError) {
        guard !isReadOnly, file.isRegularFile else { throw .cannotGrow }
        let present = self.size
        guard size > present, size % sectorSize == 0 else { throw .notLarger(size: size, present: present) }
        do { try file.truncate(to: size) } catch { throw .system(error) }
        // The guest may use what the file has.
        presentSize.store(size, ordering: .releasing)
        extent.store(size, ordering: .releasing)
    }

    package func flush() throws(DiskImageError) {
        guard synchronizes else { return }
        do { try file.synchronize() } catch { throw .system(error) }
    }

    package func discard(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        try checkChange(offset, count)
        guard count > 0 else { return }
        do {
            try file.punchHole(at: offset, count: count)
        } catch  where error.code == EOPNOTSUPP || error.code == ENOSYS {
            // A hint that the file system cannot use.
        } catch {
            throw .system(error)
        }
    }

    package func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        try checkChange(offset, count)
        try file.clear(at: offset, count: count, mayUnmap: mayUnmap)
    }

    private func checkChange(_ offset: UInt64, _ count: UInt64) throws(DiskImageError) {
        try checkWritable()
        try checkRange(offset, count)
    }
}

internal import Glibc
internal import HostSystem
internal import Synchronization

/// The file of an open qcow2 image.
final class Qcow2File: Sendable {
    let path: String
    let isReadOnly: Bool
    let descriptor: FileDescriptor
    /// Whether bytes behind the end become zeroes when the file grows.
    let isRegular: Bool
    // The end in bytes; it grows with the allocation of clusters, before they are written.
    private let endOffset: Atomic<UInt64>

    convenience init(path: String, readOnly: Bool, files: DiskFiles? = nil) throws(DiskImageError) {
        let opened = try LockedFile(path: path, readOnly: readOnly, files: files)
        self.init(adopting: opened, path: path, readOnly: readOnly)
    }

    init(adopting opened: consuming LockedFile, path: String, readOnly: Bool) {
        self.path = path
        isReadOnly = readOnly
        isRegular = opened.kind == .regular
        endOffset = Atomic(opened.size)
        descriptor = opened.descriptor
    }

    // A process that is being started may have a duplicate for a moment, which would keep the lock.
    deinit { descriptor.unlock() }

    /// Nothing of the image lies at or behind this offset.
    var end: UInt64 { endOffset.load(ordering: .acquiring) }

    func extend(to end: UInt64) { endOffset.max(end, ordering: .acquiringAndReleasing) }

    func header() throws(DiskImageError) -> Qcow2Header {
        try Self.header(path: path, fileSize: end) { (count) throws(DiskImageError) in try bytes(at: 0, count: count) }
    }

    /// - Parameter read: reads so many bytes from the beginning of the file.
    static func header(
        path: String, fileSize end: UInt64, _ read: (Int) throws(DiskImageError) -> [UInt8]
    ) throws(DiskImageError) -> Qcow2Header {
        // The size of clusters stands in the first bytes.
        let start = try read(Int(min(end, 24)))
        let clusterBits: UInt32 = start.count < 24 ? 9 : min(start.bigEndian(at: 20), 21)
        let cluster = try read(Int(min(end, 1 << UInt64(clusterBits))))
        var parser = Qcow2HeaderParser(path: path, fileSize: end, bytes: cluster)
        return try parser.parse()
    }

    func bytes(at offset: UInt64, count: Int) throws(DiskImageError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        try result.withUnsafeMutableBufferPointer { (buffer) throws(DiskImageError) in
            try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return result
    }

    /// Reads bytes; zeroes behind the end of the file, as a table's last cluster may not be whole.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskImageError) {
        try descriptor.run(FileTransfer(.read(present: 0), descriptor, at: offset, IOBuffers(buffer)))
    }

    func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try descriptor.run(FileTransfer(.read(present: 0), descriptor, at: offset, buffers))
    }

    func write(at offset: UInt64, _ bytes: [UInt8]) throws(DiskImageError) {
        do {
            try bytes.withUnsafeBufferPointer { (buffer) throws(SystemError) in
                try descriptor.writeAll(at: offset, UnsafeRawBufferPointer(buffer))
            }
        } catch {
            throw .system(error)
        }
    }

    func write(at offset: UInt64, _ buffer: UnsafeRawBufferPointer) throws(DiskImageError) {
        do { try descriptor.writeAll(at: offset, buffer) } catch { throw .system(error) }
    }

    /// Reads a table of `count` big-endian entries.
    func table(at offset: UInt64, count: Int) throws(DiskImageError) -> [UInt64] {
        let bytes = try bytes(at: offset, count: count * 8)
        return (0..<count).map { bytes.bigEndian(at: $0 * 8) }
    }

    /// Reads the refcount table, whose blocks are in the file.
    func refcountTable(_ header: Qcow2Header) throws(DiskImageError) -> [UInt64] {
        let count = header.refcountTableClusters << header.geometry.clusterBits / 8
        let table = try table(at: header.refcountTableOffset, count: count)
        for (index, offset) in table.enumerated() where offset != 0 {
            guard header.geometry.isAligned(offset), offset < end else {
                throw .damaged(path: path, found: "entry \(index) of the refcount table refers to offset \(offset)")
            }
        }
        return table
    }

    /// Makes a cluster zeroes that nothing refers to. Behind the end of a file there is nothing to do.
    func clearCluster(at offset: UInt64, _ geometry: Qcow2Geometry) throws(DiskImageError) {
        if isRegular, offset >= end { return }
        try descriptor.clear(at: offset, count: geometry.clusterSize, mayUnmap: false)
    }

    func synchronize() throws(DiskImageError) {
        do { try descriptor.synchronize() } catch { throw .system(error) }
    }
}

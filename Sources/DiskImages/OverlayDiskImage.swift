internal import Glibc
package import HostSystem

/// A private, writable copy of a read-only image that costs nothing until it is written to.
///
/// The guest's writes go to a sparse file of the same layout, and a bitmap has a bit for each cluster that lies there. Clusters
/// are as small as a page and a block of common file systems, so that small random writes rarely have to copy the rest of a
/// cluster. The changes last as long as the object; `flush` has nothing to make durable.
package final class OverlayDiskImage: DiskImage {
    /// Bytes that are copied at once.
    package static let clusterSize: UInt64 = 4096

    package let size: UInt64
    package let isReadOnly = false
    let base: any DiskImage
    let changes: FileDescriptor
    let written: ClusterMap
    // Clusters that are being written for the first time. Two writers of one such cluster would undo each other's change
    // when both copy the rest of it from the base. Whoever has a claim never waits for a thread of the pool, where others may
    // be waiting for the claim.
    let claims = Monitor<[Range<UInt64>]>([])

    /// Puts an overlay on `base`, which must be read-only.
    ///
    /// - Parameter changes: an empty file for the changes, which nobody else uses.
    package init(base: any DiskImage, changes: consuming FileDescriptor) throws(DiskImageError) {
        guard base.isReadOnly else { throw .writableBase }
        let clusters = (base.size + Self.clusterSize - 1) / Self.clusterSize
        do { written = try ClusterMap(count: clusters) } catch { throw .system(error) }
        do {
            try changes.truncate(to: clusters * Self.clusterSize)
        } catch {
            throw .changesTooLarge(size: base.size, error)
        }
        self.changes = changes
        size = base.size
        self.base = base
    }

    package func close() { base.close() }

    package func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try checkRange(offset, UInt64(buffers.count))
        let end = offset + UInt64(buffers.count)
        var position = offset
        while position < end {
            let run = self.run(from: position, to: end)
            let part = buffers.slice(from: Int(position - offset), count: Int(run.end - position))
            if run.isChanged {
                try changes.readAll(at: position, into: part)
            } else {
                try base.read(at: position, into: part)
            }
            position = run.end
        }
    }

    /// How far the bytes from `position` on, below `end`, lie in the same file.
    func run(from position: UInt64, to end: UInt64) -> (isChanged: Bool, end: UInt64) {
        let cluster = position / Self.clusterSize
        let limit = (end + Self.clusterSize - 1) / Self.clusterSize
        let isChanged = written.contains(cluster)
        // A bit may be set meanwhile, never cleared: the run is at least the present cluster.
        let count = max(written.runLength(from: cluster, limit: limit, marked: isChanged), 1)
        return (isChanged, min((cluster + count) * Self.clusterSize, end))
    }

    package func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try checkRange(offset, UInt64(buffers.count))
        guard buffers.count > 0 else { return }
        try change(offset, UInt64(buffers.count)) { () throws(DiskImageError) in
            try changes.writeAll(at: offset, from: buffers)
        }
    }

    package func flush() throws(DiskImageError) {}

    package func discard(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        try writeZeroes(at: offset, count: count, mayUnmap: true)
    }

    package func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        try checkRange(offset, count)
        guard count > 0 else { return }
        try change(offset, count) { () throws(DiskImageError) in
            try changes.clear(at: offset, count: count, mayUnmap: mayUnmap)
        }
    }

    /// Runs `body`, which sets exactly the given bytes of the changes, and marks their clusters as written.
    private func change(
        _ offset: UInt64, _ count: UInt64, _ body: () throws(DiskImageError) -> Void
    ) throws(DiskImageError) {
        let clusters = Self.clusters(offset, count)
        let (first, last) = (clusters.lowerBound, clusters.upperBound - 1)
        if written.contains(all: clusters) { return try body() }
        _ = claims.wait { claims -> Void? in
            if claims.contains(where: { $0.overlaps(clusters) }) { return nil }
            claims.append(clusters)
            return ()
        }
        defer { release(clusters) }
        if offset % Self.clusterSize != 0 { try copyUp(first) }
        if (offset + count) % Self.clusterSize != 0 { try copyUp(last) }
        try body()
        written.insert(clusters)
    }

    /// The clusters that a range of at least 1 byte touches.
    static func clusters(_ offset: UInt64, _ count: UInt64) -> Range<UInt64> {
        offset / clusterSize..<(offset + count - 1) / clusterSize + 1
    }

    func release(_ clusters: Range<UInt64>) {
        claims.update { claims in
            if let index = claims.firstIndex(of: clusters) { claims.remove(at: index) }
        }
    }

    /// Copies a cluster from the base unless it is in the overlay already. The caller holds a claim on it.
    private func copyUp(_ cluster: UInt64) throws(DiskImageError) {
        guard !written.contains(cluster) else { return }
        let start = cluster * Self.clusterSize
        let count = Int(min(Self.clusterSize, size - start))
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer { copy.deallocate() }
        try base.read(at: start, into: IOBuffers(copy))
        try changes.writeAll(at: start, from: IOBuffers(copy))
        written.insert(cluster..<cluster + 1)
    }
}

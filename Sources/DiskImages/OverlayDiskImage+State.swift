internal import HostSystem
package import SavedState

// The changes of an overlay leave it and come back in pieces, as whole clusters, while nobody else uses the image.
extension OverlayDiskImage {
    private static let kind = "overlay-disk"

    /// What must be found again is the base.
    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("clusterSize", Self.clusterSize)
        record.set("base", try base.save())
        return record
    }

    package func verify(_ saved: SavedRecord) throws(SavedStateError) {
        try saved.expect(kind: Self.kind, versions: 1...1)
        guard try saved.integer("clusterSize") == Self.clusterSize else {
            throw .badField(kind: Self.kind, field: "clusterSize")
        }
        try base.verify(try saved.record("base"))
    }

    /// The disk's size in whole clusters, in bytes.
    package var clusteredSize: UInt64 { (size + Self.clusterSize - 1) / Self.clusterSize * Self.clusterSize }

    /// Neighbouring clusters that the overlay holds.
    package struct ChangedRun: Equatable, Sendable {
        /// In bytes; whole clusters.
        package let range: Range<UInt64>
        /// Known to be all zeroes.
        package let isHole: Bool

        package init(range: Range<UInt64>, isHole: Bool) {
            self.range = range
            self.isHole = isHole
        }
    }

    /// The first changes at or after `offset`, the start of a cluster; nil when there are none.
    package func nextChanges(from offset: UInt64) throws(DiskImageError) -> ChangedRun? {
        let limit = clusteredSize / Self.clusterSize
        let start = offset / Self.clusterSize
        guard start < limit else { return nil }
        let first = start + written.runLength(from: start, limit: limit, marked: false)
        guard first < limit else { return nil }
        let end = (first + written.runLength(from: first, limit: limit, marked: true)) * Self.clusterSize
        let begin = first * Self.clusterSize
        let data: Range<UInt64>?
        do { data = try changes.nextData(from: begin) } catch { throw .system(error) }
        guard let data, data.lowerBound < end else { return ChangedRun(range: begin..<end, isHole: true) }
        // Holes are made in blocks of the file system, which may be smaller than clusters.
        let dataStart = data.lowerBound / Self.clusterSize * Self.clusterSize
        if dataStart > begin { return ChangedRun(range: begin..<dataStart, isHole: true) }
        let dataEnd = (data.upperBound + Self.clusterSize - 1) / Self.clusterSize * Self.clusterSize
        return ChangedRun(range: begin..<min(dataEnd, end), isHole: false)
    }

    /// Reads changed clusters.
    package func readChanges(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskImageError) {
        try changes.readAll(at: offset, into: IOBuffers(buffer))
    }

    /// Takes over whole clusters that another overlay of the same base had changed.
    package func restoreChanges(
        at offset: UInt64, from buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskImageError) {
        let clusters = try checkedClusters(offset, UInt64(buffer.count))
        try changes.writeAll(at: offset, from: IOBuffers(buffer))
        written.insert(clusters)
    }

    /// Takes over whole clusters that another overlay of the same base had changed to zeroes. This one has no changes
    /// there.
    package func restoreZeroes(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        written.insert(try checkedClusters(offset, count))
    }

    private func checkedClusters(_ offset: UInt64, _ count: UInt64) throws(DiskImageError) -> Range<UInt64> {
        guard offset % Self.clusterSize == 0, count % Self.clusterSize == 0, offset <= clusteredSize,
            count <= clusteredSize - offset
        else { throw .outOfRange(offset: offset, count: count, size: size) }
        return offset / Self.clusterSize..<(offset + count) / Self.clusterSize
    }
}

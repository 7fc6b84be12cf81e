package import HostSystem

/// A new qcow2 image, without contents of its own.
///
/// Its clusters are, in this order: the header, the refcount table, the refcount blocks, the L1 table.
package struct Qcow2Creation: Sendable {
    /// The file that a new image is based on.
    package struct Backing: Sendable {
        /// As it is written into the image: absolute, or relative to the image's directory.
        package let name: String
        package let format: DiskImageFormat
        /// How the file is known again; nil to accept any file of the name.
        let mark: BackingMark?

        /// - Parameter path: where the file is now, to remember its state; nil not to.
        package init(name: String, format: DiskImageFormat, remembering path: String?) throws(DiskImageError) {
            self.name = name
            self.format = format
            mark = try path.map { (path) throws(DiskImageError) in try BackingMark(path: path) }
        }
    }

    package static let defaultClusterSize: UInt64 = 65536
    package static let clusterSizes: ClosedRange<UInt64> = 512...2 << 20

    /// The size of the disk in bytes; whole sectors.
    package let size: UInt64
    private let clusterBits: Int
    private let backing: Backing?

    /// - Parameter clusterSize: a power of two in `clusterSizes`.
    package init(size: UInt64, clusterSize: UInt64 = defaultClusterSize, backing: Backing? = nil) {
        precondition(
            Self.clusterSizes.contains(clusterSize) && clusterSize.nonzeroBitCount == 1, "a valid cluster size")
        precondition(size > 0 && size % sectorSize == 0, "a disk has whole sectors")
        self.size = size
        clusterBits = clusterSize.trailingZeroBitCount
        self.backing = backing
    }

    /// The largest disk for a cluster size, in bytes.
    package static func largestSize(clusterSize: UInt64) -> UInt64 {
        let geometry = Qcow2Geometry(clusterBits: clusterSize.trailingZeroBitCount, refcountOrder: 4)
        let (size, overflow) = (Qcow2Geometry.longestL1Table / 8).multipliedReportingOverflow(by: geometry.l2Coverage)
        return overflow ? 1 << 62 : min(size, 1 << 62)
    }

    /// Writes the image into an empty file, which becomes as long as its tables.
    ///
    /// - Throws: `unsupported` when the size or the backing file's name is too long for the cluster size.
    package func write(to file: borrowing FileDescriptor, path: String) throws(DiskImageError) {
        let geometry = Qcow2Geometry(clusterBits: clusterBits, refcountOrder: 4)
        guard size <= Self.largestSize(clusterSize: geometry.clusterSize) else {
            throw .unsupported(
                path: path, found: "a disk of \(size) bytes with clusters of \(geometry.clusterSize) bytes",
                advice: "use larger clusters, or at most \(Self.largestSize(clusterSize: geometry.clusterSize)) bytes")
        }
        let l1Clusters = geometry.clusters(holding: geometry.l1Count(for: size) * 8)
        // Blocks count the clusters of the table and their own, too.
        var (tableClusters, blocks): (UInt64, UInt64) = (1, 1)
        while true {
            let total = 1 + tableClusters + blocks + l1Clusters
            let neededBlocks = (total - 1) >> UInt64(geometry.refcountBlockBits) + 1
            let neededClusters = geometry.clusters(holding: neededBlocks * 8)
            if (neededBlocks, neededClusters) == (blocks, tableClusters) { break }
            (blocks, tableClusters) = (max(neededBlocks, blocks), max(neededClusters, tableClusters))
        }
        var header = Qcow2Header()
        header.geometry = geometry
        header.size = size
        header.l1Count = Int(geometry.l1Count(for: size))
        header.refcountTableOffset = geometry.clusterSize
        header.refcountTableClusters = Int(tableClusters)
        header.l1Offset = (1 + tableClusters + blocks) << UInt64(clusterBits)
        header.backing = backing.map { Qcow2Header.Backing(name: $0.name, format: $0.format.rawValue, mark: $0.mark) }
        guard header.backingFits else {
            throw .unsupported(
                path: path, found: "a backing file's name of \(backing?.name.utf8.count ?? 0) bytes",
                advice: "use a shorter name, or larger clusters")
        }
        try write(header, blocks, total: 1 + tableClusters + blocks + l1Clusters, to: file)
    }

    private func write(
        _ header: Qcow2Header, _ blocks: UInt64, total: UInt64, to file: borrowing FileDescriptor
    ) throws(DiskImageError) {
        let bits = UInt64(clusterBits)
        let firstBlock = 1 + UInt64(header.refcountTableClusters)
        var table = [UInt8](repeating: 0, count: Int(blocks) * 8)
        for block in 0..<blocks { table.storeBigEndian((firstBlock + block) << bits, at: Int(block) * 8) }
        var counts = [UInt8](repeating: 0, count: Int(total) * 2)
        for cluster in 0..<Int(total) { counts.storeBigEndian(UInt16(1), at: cluster * 2) }
        do {
            // What is not written is zero.
            try file.truncate(to: total << bits)
            for (offset, bytes) in [(0, header.encoded()), (1 << bits, table), (firstBlock << bits, counts)] {
                try bytes.withUnsafeBufferPointer { (buffer) throws(SystemError) in
                    try file.writeAll(at: offset, UnsafeRawBufferPointer(buffer))
                }
            }
        } catch {
            throw .system(error)
        }
    }
}

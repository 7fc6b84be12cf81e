internal import HostSystem

/// The reference counts of an image's clusters, and with them, which clusters are free.
///
/// Counts are changed in memory and written by `writeBack`. A count that is too high on disk is a leak; one that is too low would
/// destroy data, so that counts reach the disk before whatever refers to their clusters.
struct Qcow2Refcounts: ~Copyable {
    private static let cacheCapacity = 4 << 20
    /// The most clusters that are looked at in search for a free one within the file, for as long as the image is open.
    private static let searchLimit = 1 << 24

    let file: Qcow2File
    let geometry: Qcow2Geometry
    let structures: Qcow2Structures
    private let field: RefcountField
    /// Offsets of blocks; 0 for none.
    private(set) var table: [UInt64]
    private var tableOffset: UInt64
    private var tableClusters: Int
    private var changedEntries: [Int] = []
    private var pages: MetadataPages
    // No cluster before it is free.
    private var firstFree: UInt64 = 0
    private var searched = 0

    init(
        file: Qcow2File, header: Qcow2Header, table: [UInt64], structures: Qcow2Structures
    ) throws(DiskImageError) {
        let pages = try MetadataPages(header.geometry, capacity: Self.cacheCapacity)
        self.file = file
        self.table = table
        self.structures = structures
        geometry = header.geometry
        field = RefcountField(order: header.geometry.refcountOrder)
        tableOffset = header.refcountTableOffset
        tableClusters = header.refcountTableClusters
        self.pages = pages
    }

    private func damaged(_ found: String) -> DiskImageError { .damaged(path: file.path, found: found) }

    private var blockBits: UInt64 { UInt64(geometry.refcountBlockBits) }

    private func offset(of cluster: UInt64) -> UInt64 { cluster << UInt64(geometry.clusterBits) }

    // MARK: Counts

    mutating func count(of cluster: UInt64) throws(DiskImageError) -> UInt64 {
        guard let (page, index) = try place(of: cluster) else { return 0 }
        return field.load(UnsafeRawBufferPointer(pages.bytes(page)), index)
    }

    /// Sets the count of a cluster whose block exists.
    private mutating func set(_ cluster: UInt64, to count: UInt64) throws(DiskImageError) {
        guard let (page, index) = try place(of: cluster) else { preconditionFailure("the cluster's block exists") }
        field.store(count, pages.bytes(page), index)
        pages.markDirty(page)
    }

    /// The page that has a cluster's count, and the count's place in it; nil when there is no block.
    private mutating func place(of cluster: UInt64) throws(DiskImageError) -> (page: Int, index: Int)? {
        let block = cluster >> blockBits
        guard block < table.count, table[Int(block)] != 0 else { return nil }
        let start = table[Int(block)]
        let bit = (cluster & (1 << blockBits - 1)) << UInt64(geometry.refcountOrder)
        let pageBits = UInt64(geometry.pageSize) * 8
        let page = try load(start + bit / pageBits * UInt64(geometry.pageSize))
        return (page, Int((bit % pageBits) >> UInt64(geometry.refcountOrder)))
    }

    private mutating func load(_ offset: UInt64) throws(DiskImageError) -> Int {
        if let page = pages.find(offset) { return page }
        // Counts may be written at any time.
        if !pages.hasRoom(for: offset) { try writePages() }
        let page = pages.insert(offset)
        do throws(DiskImageError) {
            try file.read(at: offset, into: pages.bytes(page))
        } catch {
            pages.remove(offset..<offset + UInt64(geometry.pageSize))
            throw error
        }
        return page
    }

    // MARK: Allocation

    /// Takes free clusters: `count` of them, or fewer that lie together.
    ///
    /// - Throws: `damaged` when clusters that are said to be free hold tables.
    mutating func allocate(_ count: UInt64) throws(DiskImageError) -> Range<UInt64> {
        var cluster = firstFree
        while true {
            try makeBlock(for: cluster)
            if try self.count(of: cluster) == 0 { break }
            cluster += 1
            searched += 1
            if searched > Self.searchLimit { cluster = max(cluster, geometry.clusters(holding: file.end)) }
        }
        let limit = min(cluster + count, (cluster >> blockBits + 1) << blockBits)
        var end = cluster + 1
        while end < limit, try self.count(of: end) == 0 { end += 1 }
        guard !structures.overlap(offset(of: cluster)..<offset(of: end)) else {
            throw damaged(
                "a table lies in a cluster with a reference count of 0, at offset \(offset(of: cluster)) or behind")
        }
        for taken in cluster..<end { try set(taken, to: 1) }
        firstFree = end
        file.extend(to: offset(of: end))
        return cluster..<end
    }

    /// Takes `count` clusters that lie together, at the end of the file.
    mutating func allocateTogether(_ count: UInt64) throws(DiskImageError) -> Range<UInt64> {
        guard count < 1 << blockBits else { throw Self.full }
        var first = geometry.clusters(holding: file.end)
        while true {
            let blockEnd = (first >> blockBits + 1) << blockBits
            guard first + count <= blockEnd else {
                first = blockEnd
                continue
            }
            try makeBlock(for: first)
            var end = first
            while end < first + count, try self.count(of: end) == 0 { end += 1 }
            if end == first + count { break }
            first = end + 1
        }
        for cluster in first..<first + count { try set(cluster, to: 1) }
        file.extend(to: offset(of: first + count))
        return first..<first + count
    }

    /// Counts one reference less.
    ///
    /// - Returns: whether the cluster is free now.
    mutating func release(_ cluster: UInt64) throws(DiskImageError) -> Bool {
        let count = try count(of: cluster)
        guard count > 0 else { throw damaged("cluster \(cluster) of the file is in use with a reference count of 0") }
        try set(cluster, to: count - 1)
        if count == 1 { firstFree = min(firstFree, cluster) }
        return count == 1
    }

    /// Makes sure that a cluster's count has a block.
    private mutating func makeBlock(for cluster: UInt64) throws(DiskImageError) {
        let block = cluster >> blockBits
        if block >= table.count { try growTable(to: block + 1) }
        guard table[Int(block)] == 0 else { return }
        // All clusters that a new block counts are free: it takes the first of them.
        let first = block << blockBits
        guard first < Qcow2Geometry.fileLimit >> UInt64(geometry.clusterBits) else { throw Self.full }
        guard !structures.overlap(offset(of: first)..<offset(of: first + 1)) else {
            throw damaged("a table lies in a cluster without a reference count, at offset \(offset(of: first))")
        }
        try addBlock(Int(block), at: first)
        try set(first, to: 1)
    }

    private mutating func addBlock(_ block: Int, at cluster: UInt64) throws(DiskImageError) {
        let start = offset(of: cluster)
        guard start < Qcow2Geometry.fileLimit else { throw Self.full }
        pages.remove(start..<start + geometry.clusterSize)
        try file.clearCluster(at: start, geometry)
        file.extend(to: start + geometry.clusterSize)
        structures.insert(start)
        table[block] = start
        changedEntries.append(block)
    }

    private static let full = DiskImageError.system(SystemError("the qcow2 image", code: fileTooLarge))
    private static let fileTooLarge: Int32 = 27

    /// Puts a larger table behind everything that the present one can count.
    private mutating func growTable(to least: UInt64) throws(DiskImageError) {
        let entriesPerCluster = geometry.clusterSize / 8
        let wanted = max(least + least / 2, UInt64(table.count) * 2)
        let clusters = min(
            (wanted + entriesPerCluster - 1) / entriesPerCluster,
            Qcow2Geometry.longestRefcountTable >> UInt64(geometry.clusterBits))
        guard clusters * entriesPerCluster >= least else { throw Self.full }
        let old = (count: table.count, offset: tableOffset, clusters: tableClusters)
        table += Array(repeating: 0, count: Int(clusters * entriesPerCluster) - table.count)
        do throws(DiskImageError) {
            try writeGrownTable(clusters, behind: old.count)
        } catch {
            // On disk, the old table is still the image's.
            for block in old.count..<table.count where table[block] != 0 {
                pages.remove(table[block]..<table[block] + geometry.clusterSize)
                structures.remove(table[block])
            }
            table.removeLast(table.count - old.count)
            changedEntries.removeAll { $0 >= old.count }
            throw error
        }
        let oldFirst = old.offset >> UInt64(geometry.clusterBits)
        for cluster in oldFirst..<oldFirst + UInt64(old.clusters) {
            structures.remove(offset(of: cluster))
            _ = try release(cluster)
        }
    }

    /// Writes the table, which has grown in memory, and the blocks for its own clusters and for theirs.
    private mutating func writeGrownTable(_ clusters: UInt64, behind oldCount: Int) throws(DiskImageError) {
        let first = UInt64(oldCount) << blockBits
        var blocks: UInt64 = 1
        while blocks << blockBits < clusters + blocks { blocks += 1 }
        guard Int(blocks) <= table.count - oldCount else { throw Self.full }
        for block in 0..<blocks { try addBlock(oldCount + Int(block), at: first + clusters + block) }
        for cluster in first..<first + clusters + blocks { try set(cluster, to: 1) }
        try writePages()
        try file.write(at: offset(of: first), encodedTable())
        file.extend(to: offset(of: first + clusters))
        try file.synchronize()
        try putTable(at: offset(of: first), clusters: Int(clusters))
        // The new table has all entries.
        changedEntries = []
        for cluster in first..<first + clusters { structures.insert(offset(of: cluster)) }
    }

    private func encodedTable() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: table.count * 8)
        for (index, entry) in table.enumerated() where entry != 0 { bytes.storeBigEndian(entry, at: index * 8) }
        return bytes
    }

    /// Writes to the header where the table is.
    private mutating func putTable(at offset: UInt64, clusters: Int) throws(DiskImageError) {
        var bytes = [UInt8](repeating: 0, count: 12)
        bytes.storeBigEndian(offset, at: 0)
        bytes.storeBigEndian(UInt32(clusters), at: 8)
        try file.write(at: UInt64(Qcow2Header.Field.refcountTable), bytes)
        try file.synchronize()
        tableOffset = offset
        tableClusters = clusters
    }

    // MARK: Writing

    /// Writes the changed counts to the file. The caller synchronizes the file before it writes what relies on them.
    mutating func writeBack(_ synchronize: () throws(DiskImageError) -> Void) throws(DiskImageError) {
        try writePages()
        guard !changedEntries.isEmpty else { return }
        // A table on disk refers to complete blocks only.
        try synchronize()
        while let block = changedEntries.last {
            var bytes = [UInt8](repeating: 0, count: 8)
            bytes.storeBigEndian(table[block], at: 0)
            try file.write(at: tableOffset + UInt64(block) * 8, bytes)
            changedEntries.removeLast()
        }
    }

    private mutating func writePages() throws(DiskImageError) {
        var left = pages.takeDirty()[...]
        while let page = left.first {
            do throws(DiskImageError) {
                try file.write(at: pages.offset(of: page), UnsafeRawBufferPointer(pages.bytes(page)))
            } catch {
                for page in left { pages.markDirty(page) }
                throw error
            }
            left.removeFirst()
        }
    }
}

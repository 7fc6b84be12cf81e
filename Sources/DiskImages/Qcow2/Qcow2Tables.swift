/// The tables of a qcow2 image that say where guest clusters are: the L1 table, and pages of L2 tables.
struct Qcow2Tables: ~Copyable {
    private static let cacheCapacity = 16 << 20

    enum Lookup: Sendable {
        case part(Qcow2Part)
        /// The page of an L2 table that has to be loaded, by its offset in the file.
        case missing(UInt64)
    }

    let file: Qcow2File
    let header: Qcow2Header
    var geometry: Qcow2Geometry { header.geometry }
    var l1: [UInt64]
    var pages: MetadataPages

    init(file: Qcow2File, header: Qcow2Header) throws(DiskImageError) {
        let l1 = try file.table(at: header.l1Offset, count: header.l1Count)
        let pages = try MetadataPages(header.geometry, capacity: Self.cacheCapacity)
        self.file = file
        self.header = header
        self.l1 = l1
        self.pages = pages
    }

    func damaged(_ found: String) -> DiskImageError { .damaged(path: file.path, found: found) }

    func l1Index(of cluster: UInt64) -> Int { Int(cluster >> UInt64(geometry.l2Bits)) }

    /// The offset of an L2 table; nil when there is none.
    func l2Offset(_ l1Index: Int) throws(DiskImageError) -> UInt64? {
        let entry = l1[l1Index]
        guard entry & ~(Qcow2Content.offsetMask | Qcow2Content.ownedFlag) == 0 else {
            throw damaged("L1 entry \(l1Index) is not valid")
        }
        let offset = entry & Qcow2Content.offsetMask
        if offset == 0 { return nil }
        guard geometry.isAligned(offset), offset < file.end else {
            throw damaged("L1 entry \(l1Index) refers to offset \(offset)")
        }
        return offset
    }

    /// The page with the entry of a guest cluster, and the entry's place in it; nil when there is no L2 table.
    func location(of cluster: UInt64) throws(DiskImageError) -> (page: UInt64, entry: Int)? {
        guard let table = try l2Offset(l1Index(of: cluster)) else { return nil }
        let byte = cluster & (1 << UInt64(geometry.l2Bits) - 1) * 8
        let pageSize = UInt64(geometry.pageSize)
        return (table + byte / pageSize * pageSize, Int(byte % pageSize / 8))
    }

    /// The contents from a guest offset on, below `limit`: as much as lies together and has its entries in one page.
    mutating func lookup(_ offset: UInt64, limit: UInt64) throws(DiskImageError) -> Lookup {
        let bits = UInt64(geometry.clusterBits)
        let first = offset >> bits
        guard let (page, entry) = try location(of: first) else {
            let end = min(limit, UInt64(l1Index(of: first) + 1) * geometry.l2Coverage)
            return .part(Qcow2Part(range: offset..<end, content: .unallocated))
        }
        guard let index = pages.find(page) else { return .missing(page) }
        let bytes = UnsafeRawBufferPointer(pages.bytes(index))
        let content = try content(bytes.bigEndian(at: entry * 8), of: first)
        var count = 1
        while entry + count < geometry.pageSize / 8, (first + UInt64(count)) << bits < limit,
            let expected = content.advanced(by: UInt64(count) << bits),
            try self.content(bytes.bigEndian(at: (entry + count) * 8), of: first + UInt64(count)) == expected
        {
            count += 1
        }
        let end = min(limit, (first + UInt64(count)) << bits)
        let within = offset & (geometry.clusterSize - 1)
        return .part(Qcow2Part(range: offset..<end, content: content.advanced(by: within) ?? content))
    }

    /// The meaning of a guest cluster's entry, whose clusters are in the file.
    func content(_ entry: UInt64, of cluster: UInt64) throws(DiskImageError) -> Qcow2Content {
        guard let content = Qcow2Content(entry: entry, geometry: geometry, hasZeroFlag: header.hasZeroFlag) else {
            throw damaged("the L2 entry of guest cluster \(cluster) is not valid")
        }
        let start: UInt64? =
            switch content {
            case .unallocated, .zero(nil): nil
            case .zero(let host?), .data(let host): host.offset
            case .compressed(let data): data.offset
            }
        guard start.map({ $0 < file.end }) ?? true else {
            throw damaged("guest cluster \(cluster) is beyond the end of the file")
        }
        return content
    }
}

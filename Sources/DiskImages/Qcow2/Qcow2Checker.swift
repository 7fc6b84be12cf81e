internal import HostSystem

/// Counts all references in a qcow2 image, compares them with the image's own counts, and repairs these.
package struct Qcow2Checker: ~Copyable {
    package enum Repair: Sendable {
        case nothing
        /// Counts that are too high.
        case leaks
        /// All counts, and flags that follow from them.
        case counts
    }

    private static let mostClusters: UInt64 = 1 << 32

    let file: Qcow2File
    let header: Qcow2Header
    let counts: ClusterCounts
    var report = Qcow2CheckReport()
    var l1: [UInt64] = []

    var geometry: Qcow2Geometry { header.geometry }
    var bits: UInt64 { UInt64(geometry.clusterBits) }

    /// Checks the image at `path`. Its backing file is not looked at.
    ///
    /// - Throws: an error when the image cannot be read as far as this takes.
    package static func check(path: String, repair: Repair) throws(DiskImageError) -> Qcow2CheckReport {
        let file = try Qcow2File(path: path, readOnly: repair == .nothing)
        return try check(file, try file.header(), repair)
    }

    static func check(
        _ file: Qcow2File, _ header: Qcow2Header, _ repair: Repair
    ) throws(DiskImageError) -> Qcow2CheckReport {
        if header.features.hasBitmaps {
            throw .unsupported(
                path: file.path, found: "the image has bitmaps, which the check does not know",
                advice: "use 'qemu-img check'")
        }
        var checker = try Qcow2Checker(file, header)
        return try checker.run(repair)
    }

    private init(_ file: Qcow2File, _ header: Qcow2Header) throws(DiskImageError) {
        let clusters = header.geometry.clusters(holding: file.end)
        guard clusters <= Self.mostClusters else {
            throw .unsupported(
                path: file.path, found: "the file has \(clusters) clusters", advice: "use 'qemu-img check'")
        }
        counts = try ClusterCounts(count: clusters)
        self.file = file
        self.header = header
    }

    private mutating func run(_ repair: Repair) throws(DiskImageError) -> Qcow2CheckReport {
        report.isMarkedDirty = header.features.isDirty
        report.isMarkedCorrupt = header.features.isCorrupt
        report.totalClusters = geometry.clusters(holding: header.size)
        mark(0, 1, "the header")
        l1 = try file.table(at: header.l1Offset, count: header.l1Count)
        mark(header.l1Offset, UInt64(header.l1Count) * 8, "the L1 table")
        try walk(l1, isActive: true)
        try walkSnapshots()
        let table = try file.table(
            at: header.refcountTableOffset, count: header.refcountTableClusters << geometry.clusterBits / 8)
        mark(header.refcountTableOffset, UInt64(table.count) * 8, "the refcount table")
        for (index, offset) in table.enumerated() where offset != 0 {
            mark(offset, geometry.clusterSize, "refcount block \(index)")
        }
        try compareCounts(table, repair)
        try compareFlags(repair)
        if repair == .counts, report.isClean { try clearMarks() }
        if repair != .nothing { try file.synchronize() }
        return report
    }

    /// Counts a reference to each cluster of a structure or of data.
    ///
    /// - Returns: whether it is in the file.
    @discardableResult
    private mutating func mark(_ offset: UInt64, _ count: UInt64, _ name: @autoclosure () -> String) -> Bool {
        guard offset < file.end, count <= Qcow2Geometry.fileLimit else {
            report.addError("\(name()) is beyond the end of the file, at offset \(offset)")
            return false
        }
        let last = (offset + max(count, 1) - 1) >> bits
        for cluster in offset >> bits...min(last, counts.count - 1) { counts.add(cluster) }
        return true
    }

    // MARK: References

    private mutating func walk(_ l1: [UInt64], isActive: Bool) throws(DiskImageError) {
        // Each table once: an image in which many entries refer to one table would take forever.
        var known: [UInt64] = []
        for (index, entry) in l1.enumerated() {
            let offset = entry & Qcow2Content.offsetMask
            guard entry & ~(Qcow2Content.offsetMask | Qcow2Content.ownedFlag) == 0, geometry.isAligned(offset) else {
                report.addError("L1 entry \(index) is not valid")
                continue
            }
            if offset == 0 { continue }
            known.append(offset)
            guard mark(offset, geometry.clusterSize, "L2 table \(index)") else { continue }
        }
        known.sort()
        for (position, offset) in known.enumerated() where offset < file.end {
            if position > 0, known[position - 1] == offset {
                report.addError("two L1 entries refer to the L2 table at offset \(offset)")
            } else {
                try walkL2(offset, isActive: isActive)
            }
        }
    }

    private mutating func walkL2(_ offset: UInt64, isActive: Bool) throws(DiskImageError) {
        for (index, entry) in try file.table(at: offset, count: 1 << geometry.l2Bits).enumerated() where entry != 0 {
            func name() -> String { "the cluster of entry \(index) in the L2 table at offset \(offset)" }
            guard let content = Qcow2Content(entry: entry, geometry: geometry, hasZeroFlag: header.hasZeroFlag) else {
                report.addError("entry \(index) of the L2 table at offset \(offset) is not valid")
                continue
            }
            switch content {
            case .unallocated, .zero(nil): continue
            case .zero(let host?), .data(let host): mark(host.offset, geometry.clusterSize, name())
            case .compressed(let data):
                mark(data.offset, UInt64(data.count), name())
                if isActive { report.compressedClusters += 1 }
            }
            if isActive { report.allocatedClusters += 1 }
        }
    }

    /// Entries of the snapshot table: 40 bytes, of which the first are the L1 table's offset (64 bits), its entries (32 bits), and
    /// the lengths of identifier and name (16 bits each); at byte 36 the length of more data. These three follow, padded to 8.
    private mutating func walkSnapshots() throws(DiskImageError) {
        var position = header.snapshotsOffset
        for index in 0..<header.snapshotCount {
            let entry = try file.bytes(at: position, count: 40)
            let offset: UInt64 = entry.bigEndian(at: 0)
            let count = Int(entry.bigEndian(at: 8, as: UInt32.self))
            let lengths = [
                UInt64(entry.bigEndian(at: 12, as: UInt16.self)), UInt64(entry.bigEndian(at: 14, as: UInt16.self)),
                UInt64(entry.bigEndian(at: 36, as: UInt32.self)),
            ]
            position += (40 + lengths.reduce(0, +) + 7) / 8 * 8
            guard position <= file.end + 8, geometry.isAligned(offset),
                UInt64(count) * 8 <= Qcow2Geometry.longestL1Table
            else {
                report.addError("snapshot \(index) is not valid")
                break
            }
            if mark(offset, UInt64(count) * 8, "the L1 table of snapshot \(index)") {
                try walk(try file.table(at: offset, count: count), isActive: false)
            }
        }
        let length = position - header.snapshotsOffset
        if header.snapshotCount > 0 { mark(header.snapshotsOffset, length, "the snapshot table") }
    }
}

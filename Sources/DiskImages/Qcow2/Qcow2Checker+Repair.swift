internal import HostSystem

extension Qcow2Checker {
    private var field: RefcountField { RefcountField(order: geometry.refcountOrder) }
    private var countsPerBlock: UInt64 { 1 << UInt64(geometry.refcountBlockBits) }

    /// Compares the image's counts with the references, and corrects them as far as `repair` says.
    mutating func compareCounts(_ table: [UInt64], _ repair: Repair) throws(DiskImageError) {
        for (index, offset) in table.enumerated() {
            let first = UInt64(index) << UInt64(geometry.refcountBlockBits)
            if offset == 0 {
                countMissing(first)
            } else if geometry.isAligned(offset), offset < file.end {
                try compareBlock(at: offset, first, repair)
            } else {
                report.addError("entry \(index) of the refcount table is not valid")
            }
        }
        let end = UInt64(table.count) << UInt64(geometry.refcountBlockBits)
        for cluster in stride(from: end, to: counts.count, by: Int(countsPerBlock)) { countMissing(cluster) }
    }

    /// Counts clusters that are in use, where the image has no block for their counts.
    private mutating func countMissing(_ first: UInt64) {
        guard first < counts.count else { return }
        for cluster in first..<min(first + countsPerBlock, counts.count) where counts[cluster] > 0 {
            report.addError("cluster \(cluster) is in use and has no reference count")
        }
    }

    private mutating func compareBlock(
        at offset: UInt64, _ first: UInt64, _ repair: Repair
    ) throws(DiskImageError) {
        var block = try file.bytes(at: offset, count: Int(geometry.clusterSize))
        var isChanged = false
        for index in 0..<Int(countsPerBlock) {
            let found = block.withUnsafeBytes { field.load($0, index) }
            let expected = counts[first + UInt64(index)]
            if found == expected { continue }
            if found > expected {
                report.leaks += 1
                if repair != .nothing { report.repairedLeaks += 1 }
            } else {
                report.addError("cluster \(first + UInt64(index)) has \(expected) references and a count of \(found)")
                guard repair == .counts, expected <= geometry.largestRefcount else { continue }
                report.repairedErrors += 1
            }
            guard repair != .nothing, repair == .counts || found > expected else { continue }
            block.withUnsafeMutableBytes { field.store(expected, $0, index) }
            isChanged = true
        }
        if isChanged { try file.write(at: offset, block) }
    }

    /// Compares the flags of L1 and L2 entries, which say that a cluster has one reference.
    mutating func compareFlags(_ repair: Repair) throws(DiskImageError) {
        for (index, entry) in l1.enumerated() {
            let offset = entry & Qcow2Content.offsetMask
            guard offset != 0, geometry.isAligned(offset), offset < file.end else { continue }
            try compareFlag(entry, at: header.l1Offset + UInt64(index) * 8, repair)
            // A table in use twice is an error already.
            guard counts[offset >> bits] == 1 else { continue }
            let l2 = try file.table(at: offset, count: 1 << geometry.l2Bits)
            for (position, entry) in l2.enumerated() where entry != 0 {
                try compareFlag(entry, at: offset + UInt64(position) * 8, repair)
            }
        }
    }

    private mutating func compareFlag(_ entry: UInt64, at place: UInt64, _ repair: Repair) throws(DiskImageError) {
        let content = Qcow2Content(entry: entry, geometry: geometry, hasZeroFlag: true)
        let host: Qcow2Content.Host
        switch content {
        case .zero(let found?), .data(let found): host = found
        case .unallocated, .zero(nil), .compressed, nil: return
        }
        let isOwned = counts[host.offset >> bits] == 1
        guard host.offset < file.end, host.isOwned != isOwned else { return }
        report.addError("the entry at offset \(place) is marked as \(isOwned ? "shared" : "its cluster's only one")")
        guard repair == .counts else { return }
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.storeBigEndian(entry ^ Qcow2Content.ownedFlag, at: 0)
        try file.write(at: place, bytes)
        report.repairedErrors += 1
    }

    /// Takes the marks of a dirty or corrupt image back.
    func clearMarks() throws(DiskImageError) {
        let marks = Qcow2Features.dirty | Qcow2Features.corrupt
        guard header.version >= 3, header.features.incompatible & marks != 0 else { return }
        try file.synchronize()
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.storeBigEndian(header.features.incompatible & ~marks, at: 0)
        try file.write(at: UInt64(Qcow2Header.Field.incompatible), bytes)
    }
}

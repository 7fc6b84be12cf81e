internal import HostSystem
internal import Synchronization

// Discarding and zeroing: whole clusters by their entries, parts of clusters by writing.
extension Qcow2DiskImage {
    /// Zeroes to write.
    private static let blockOfZeroes = 65536

    package func discard(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        try checkChange(offset, count)
        let bits = UInt64(geometry.clusterBits)
        let end = offset + count
        // A cluster of which the guest keeps a part stays. The last one ends with the disk.
        let first = geometry.clusters(holding: offset)
        let last = end == size ? geometry.clusters(holding: end) : end >> bits
        guard first < last else { return }
        try changeClusters(first..<last) { (cluster, content) in
            switch content {
            case .unallocated, .zero: nil
            case .data, .compressed: emptyEntry(of: cluster)
            }
        }
    }

    package func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        try checkChange(offset, count)
        guard count > 0 else { return }
        let bits = UInt64(geometry.clusterBits)
        let end = offset + count
        let first = geometry.clusters(holding: offset)
        let last = end == size ? geometry.clusters(holding: end) : end >> bits
        guard first < last, header.hasZeroFlag || baseCount(at: first << bits, of: 1) == 0 else {
            return try clear(offset..<end)
        }
        try clear(offset..<first << bits)
        try changeClusters(first..<last) { (cluster, content) in
            switch content {
            case .unallocated where baseCount(at: cluster << bits, of: 1) == 0: return nil
            case .zero: return nil
            case .data(let host) where !mayUnmap && host.isOwned && header.hasZeroFlag:
                return host.offset | Qcow2Content.ownedFlag | Qcow2Content.zeroFlag
            case .unallocated, .data, .compressed: return emptyEntry(of: cluster)
            }
        }
        if last << bits < end { try clear(last << bits..<end) }
    }

    /// The entry of a cluster that reads as zeroes and has no place; nil when this version of the format has none.
    private func emptyEntry(of cluster: UInt64) -> UInt64? {
        if baseCount(at: cluster << UInt64(geometry.clusterBits), of: 1) == 0 { return 0 }
        return header.hasZeroFlag ? Qcow2Content.zeroFlag : nil
    }

    /// Gives clusters the entries that `change` returns; nil leaves one as it is.
    private func changeClusters(
        _ clusters: Range<UInt64>, _ change: (UInt64, Qcow2Content) -> UInt64?
    ) throws(DiskImageError) {
        let bits = UInt64(geometry.clusterBits)
        let epoch = uses.begin()
        defer { uses.end(epoch) }
        try noticingDamage { () throws(DiskImageError) in
            try claiming(clusters) { () throws(DiskImageError) in
                var position = clusters.lowerBound << bits
                let end = min(clusters.upperBound << bits, size)
                while position < end {
                    let part = try self.part(at: position, limit: end)
                    position = part.range.upperBound
                    let first = part.range.lowerBound >> bits
                    // Clusters of a part have contents of one kind.
                    guard change(first, part.content) != nil else { continue }
                    try changeEntries(self.clusters(touching: part.range), change)
                }
            }
        }
    }

    private func changeEntries(
        _ clusters: Range<UInt64>, _ change: (UInt64, Qcow2Content) -> UInt64?
    ) throws(DiskImageError) {
        let entries = UInt64(geometry.pageSize / 8)
        try changes.withLock { (changes) throws(DiskImageError) in
            var first = clusters.lowerBound
            while first < clusters.upperBound {
                let end = min(clusters.upperBound, (first / entries + 1) * entries)
                try setEntries(first..<end, &changes) { distance, content in
                    change(first + distance, content) ?? entry(for: content)
                }
                first = end
            }
            // The list of what waits to be freed stays short.
            if changes.givenUp.count > Self.mostGivenUp { try writeTables(&changes) }
        }
    }

    private static let mostGivenUp = 1024

    /// The entry of contents that stay.
    private func entry(for content: Qcow2Content) -> UInt64 {
        switch content {
        case .unallocated: 0
        case .zero(nil): Qcow2Content.zeroFlag
        case .zero(let host?): host.offset | (host.isOwned ? Qcow2Content.ownedFlag : 0) | Qcow2Content.zeroFlag
        case .data(let host): host.offset | (host.isOwned ? Qcow2Content.ownedFlag : 0)
        case .compressed: preconditionFailure("a change replaces compressed contents")
        }
    }

    /// Makes a range zero by writing, where it is not zero already.
    private func clear(_ range: Range<UInt64>) throws(DiskImageError) {
        guard !range.isEmpty else { return }
        let zeroes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(Self.blockOfZeroes, range.count), alignment: 4096)
        defer { zeroes.deallocate() }
        IOBuffers(zeroes).clear()
        var position = range.lowerBound
        while position < range.upperBound {
            let part = try part(at: position, limit: min(range.upperBound, position + UInt64(zeroes.count)))
            if !isZero(part) {
                try write(at: position, from: IOBuffers(zeroes).slice(from: 0, count: Int(part.count)))
            }
            position = part.range.upperBound
        }
    }

    private func isZero(_ part: Qcow2Part) -> Bool {
        switch part.content {
        case .zero: true
        case .unallocated: baseCount(at: part.range.lowerBound, of: part.count) == 0
        case .data, .compressed: false
        }
    }
}

internal import HostSystem
internal import Synchronization

// Changes of the tables in memory, and how they reach the file. The caller holds the lock for changes, under which alone pages
// come and go.
extension Qcow2DiskImage {
    /// Loads a page of an L2 table, unless another thread has done so.
    func load(_ page: UInt64, _ changes: inout Qcow2Changes) throws(DiskImageError) {
        let state = tables.withLock { (isThere: $0.pages.find(page) != nil, hasRoom: $0.pages.hasRoom(for: page)) }
        if state.isThere { return }
        if !state.hasRoom { try writeTables(&changes) }
        let bytes = try file.bytes(at: page, count: geometry.pageSize)
        tables.withLock { tables in
            let index = tables.pages.insert(page)
            tables.pages.bytes(index).copyBytes(from: bytes)
        }
    }

    /// Makes sure that a guest cluster has an L2 table that nothing else refers to, and that the page of its entry is loaded.
    ///
    /// - Returns: the page and the entry's place in it.
    func prepareEntry(
        of cluster: UInt64, _ changes: inout Qcow2Changes
    ) throws(DiskImageError) -> (page: UInt64, entry: Int) {
        let index = Int(cluster >> UInt64(geometry.l2Bits))
        let (entry, offset) = try tables.withLock { (tables) throws(DiskImageError) in
            (tables.l1[index], try tables.l2Offset(index))
        }
        if entry & Qcow2Content.ownedFlag == 0 || offset == nil { try makeL2Table(index, copying: offset, &changes) }
        let location = try tables.withLock { (tables) throws(DiskImageError) in try tables.location(of: cluster) }
        guard let location else { preconditionFailure("the L2 table was made") }
        try load(location.page, &changes)
        return location
    }

    private func makeL2Table(
        _ index: Int, copying old: UInt64?, _ changes: inout Qcow2Changes
    ) throws(DiskImageError) {
        let end = file.end
        let cluster = try allocate(1, &changes).lowerBound
        let offset = cluster << UInt64(geometry.clusterBits)
        do throws(DiskImageError) {
            if let old {
                try file.write(at: offset, try file.bytes(at: old, count: Int(geometry.clusterSize)))
            } else if !file.isRegular || offset < end {
                try file.descriptor.clear(at: offset, count: geometry.clusterSize, mayUnmap: false)
            }
        } catch {
            try release(cluster..<cluster + 1, &changes)
            throw error
        }
        tables.withLock { tables in
            tables.pages.remove(offset..<offset + geometry.clusterSize)
            tables.l1[index] = offset | Qcow2Content.ownedFlag
        }
        structures?.insert(offset)
        changes.changedL1.append(index)
        hasChangedTables.store(true, ordering: .releasing)
        guard let old else { return }
        // Only a snapshot refers to it from now on.
        structures?.remove(old)
        let oldCluster = old >> UInt64(geometry.clusterBits)
        giveUp(oldCluster..<oldCluster + 1, &changes)
    }

    /// Sets the entries of guest clusters, which are all in one page, and gives up what they referred to before.
    ///
    /// - Parameter entry: the new entry, by the distance from the first cluster and the present contents.
    func setEntries(
        _ clusters: Range<UInt64>, _ changes: inout Qcow2Changes, to entry: (UInt64, Qcow2Content) -> UInt64
    ) throws(DiskImageError) {
        let (page, first) = try prepareEntry(of: clusters.lowerBound, &changes)
        let old = try tables.withLock { (tables) throws(DiskImageError) -> [Range<UInt64>] in
            guard let index = tables.pages.find(page) else { preconditionFailure("the page was loaded") }
            let bytes = tables.pages.bytes(index)
            let distances = 0..<clusters.upperBound - clusters.lowerBound
            // All of them before the first change.
            let contents = try distances.map { (distance) throws(DiskImageError) in
                try tables.content(
                    bytes.bigEndian(at: (first + Int(distance)) * 8), of: clusters.lowerBound + distance)
            }
            var givenUp: [Range<UInt64>] = []
            for (distance, content) in zip(distances, contents) {
                let new = entry(distance, content)
                bytes.storeBigEndian(new, at: (first + Int(distance)) * 8)
                // An entry that keeps its cluster gives nothing up.
                if let host = content.hostClusters(geometry),
                    new & Qcow2Content.offsetMask != host.lowerBound << UInt64(geometry.clusterBits)
                {
                    givenUp.append(host)
                }
            }
            tables.pages.markDirty(index)
            return givenUp
        }
        hasChangedTables.store(true, ordering: .releasing)
        for host in old { giveUp(host, &changes) }
    }

    // MARK: Clusters

    func allocate(_ count: UInt64, _ changes: inout Qcow2Changes) throws(DiskImageError) -> Range<UInt64> {
        hasChangedTables.store(true, ordering: .releasing)
        guard let result = try changes.refcounts?.allocate(count) else { throw .readOnly }
        return result
    }

    /// Frees clusters that no table ever referred to.
    func release(_ clusters: Range<UInt64>, _ changes: inout Qcow2Changes) throws(DiskImageError) {
        for cluster in clusters { _ = try changes.refcounts?.release(cluster) }
    }

    /// Notes that the tables in memory do not refer to clusters any more.
    private func giveUp(_ clusters: Range<UInt64>, _ changes: inout Qcow2Changes) {
        let epoch = uses.retire()
        if let last = changes.givenUp.last, last.clusters.upperBound == clusters.lowerBound {
            changes.givenUp[changes.givenUp.count - 1] = .init(
                clusters: last.clusters.lowerBound..<clusters.upperBound, epoch: epoch)
        } else {
            changes.givenUp.append(.init(clusters: clusters, epoch: epoch))
        }
    }

    // MARK: Writing

    /// Writes changed tables, and then counts what was given up before as free. The last of it is written next time.
    func writeTables() throws(DiskImageError) {
        guard hasChangedTables.load(ordering: .acquiring) else { return }
        try changes.withLock { (changes) throws(DiskImageError) in try writeTables(&changes) }
    }

    func writeTables(_ changes: inout Qcow2Changes) throws(DiskImageError) {
        try changes.refcounts?.writeBack { () throws(DiskImageError) in try synchronize() }
        if !changes.changedL1.isEmpty || tables.withLock({ !$0.pages.dirty.isEmpty }) {
            // Data and counts come before what refers to them.
            try synchronize()
            try writeReferences(&changes)
        }
        if changes.givenUp.isEmpty {
            // Only after the last write: a flush that sees no change does without the lock.
            hasChangedTables.store(false, ordering: .releasing)
        } else {
            try synchronize()
            try freeGivenUp(&changes)
        }
    }

    private func synchronize() throws(DiskImageError) {
        if synchronizes { try file.synchronize() }
    }

    /// Writes L2 pages, then L1 entries. A new L2 table is complete in the file since it was made.
    private func writeReferences(_ changes: inout Qcow2Changes) throws(DiskImageError) {
        var left = tables.withLock { $0.pages.takeDirty() }[...]
        while let index = left.first {
            // Only the owner of the lock for changes changes pages or replaces them.
            let (offset, bytes) = tables.withLock { tables in
                (tables.pages.offset(of: index), Array(tables.pages.bytes(index)))
            }
            do throws(DiskImageError) {
                try file.write(at: offset, bytes)
            } catch {
                tables.withLock { tables in for index in left { tables.pages.markDirty(index) } }
                throw error
            }
            left.removeFirst()
        }
        while let index = changes.changedL1.last {
            var bytes = [UInt8](repeating: 0, count: 8)
            bytes.storeBigEndian(tables.withLock { $0.l1[index] }, at: 0)
            try file.write(at: header.l1Offset + UInt64(index) * 8, bytes)
            changes.changedL1.removeLast()
        }
    }

    /// Counts clusters as free that neither the file's tables nor a request refers to.
    private func freeGivenUp(_ changes: inout Qcow2Changes) throws(DiskImageError) {
        while let next = changes.givenUp.first, uses.hasEnded(next.epoch) {
            changes.givenUp.removeFirst()
            var freed: Range<UInt64>?
            for cluster in next.clusters {
                let isFree = try changes.refcounts?.release(cluster) ?? false
                guard isFree else { continue }
                if let run = freed, run.upperBound == cluster {
                    freed = run.lowerBound..<cluster + 1
                } else {
                    freed.map(punch)
                    freed = cluster..<cluster + 1
                }
            }
            freed.map(punch)
        }
    }

    /// Gives the file system its space back where it can take it.
    private func punch(_ clusters: Range<UInt64>) {
        let bits = UInt64(geometry.clusterBits)
        try? file.descriptor.punchHole(
            at: clusters.lowerBound << bits, count: (clusters.upperBound - clusters.lowerBound) << bits)
    }

    package func flush() throws(DiskImageError) {
        guard !isReadOnly else { return }
        try writeTables()
        try synchronize()
    }
}

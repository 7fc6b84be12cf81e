internal import HostSystem
internal import Synchronization

extension Qcow2DiskImage {
    package func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try checkChange(offset, UInt64(buffers.count))
        let epoch = uses.begin()
        defer { uses.end(epoch) }
        try noticingDamage { () throws(DiskImageError) in
            let end = offset + UInt64(buffers.count)
            var position = offset
            while position < end {
                let rest = buffers.slice(from: Int(position - offset), count: Int(end - position))
                position = try writeSome(at: position, from: rest)
            }
        }
    }

    func checkChange(_ offset: UInt64, _ count: UInt64) throws(DiskImageError) {
        try checkWritable()
        try checkRange(offset, count)
        if isDamaged.load(ordering: .relaxed) { throw .damaged(path: file.path, found: "damage was found before") }
    }

    /// Runs a change. Damage that it finds ends all changes, for this program and others.
    func noticingDamage(_ change: () throws(DiskImageError) -> Void) throws(DiskImageError) {
        do {
            try change()
        } catch .damaged(let path, let found) {
            if !isDamaged.exchange(true, ordering: .relaxed), header.version >= 3 {
                var bytes = [UInt8](repeating: 0, count: 8)
                bytes.storeBigEndian(header.features.incompatible | Qcow2Features.corrupt, at: 0)
                try? file.write(at: UInt64(Qcow2Header.Field.incompatible), bytes)
            }
            throw .damaged(path: path, found: found)
        }
    }

    /// Writes a part of the request that begins at `offset`.
    ///
    /// - Returns: its end.
    private func writeSome(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) -> UInt64 {
        let end = offset + UInt64(buffers.count)
        let part = try part(at: offset, limit: end)
        if case .data(let host) = part.content, host.isOwned {
            try checkData(host.offset, part.count)
            try file.descriptor.writeAll(at: host.offset, from: buffers.slice(from: 0, count: Int(part.count)))
            return part.range.upperBound
        }
        let clusters = clusters(touching: part.range)
        return try claiming(clusters) { () throws(DiskImageError) in
            // Its place may have changed until now.
            let part = try self.part(at: offset, limit: part.range.upperBound)
            if case .data(let host) = part.content, host.isOwned { return offset }
            return try place(part, from: buffers)
        }
    }

    /// No guest writes to the image's tables, whatever they say.
    func checkData(_ offset: UInt64, _ count: UInt64) throws(DiskImageError) {
        if structures?.overlap(offset..<offset + count) ?? true {
            throw .damaged(path: file.path, found: "data and a table are both at offset \(offset)")
        }
    }

    /// The clusters that a range of at least 1 byte touches.
    func clusters(touching range: Range<UInt64>) -> Range<UInt64> {
        let bits = UInt64(geometry.clusterBits)
        return range.lowerBound >> bits..<(range.upperBound - 1) >> bits + 1
    }

    /// Runs `body` while nobody else changes the places of `clusters`.
    func claiming<Result>(
        _ clusters: Range<UInt64>, _ body: () throws(DiskImageError) -> Result
    ) throws(DiskImageError) -> Result {
        _ = claims.wait { claims -> Void? in
            if claims.contains(where: { $0.overlaps(clusters) }) { return nil }
            claims.append(clusters)
            return ()
        }
        defer {
            claims.update { claims in
                if let index = claims.firstIndex(of: clusters) { claims.remove(at: index) }
            }
        }
        return try body()
    }

    /// Writes to clusters that have no place of their own yet. The caller has a claim on them.
    ///
    /// - Returns: the end of what was written.
    private func place(_ part: Qcow2Part, from buffers: IOBuffers) throws(DiskImageError) -> UInt64 {
        let bits = UInt64(geometry.clusterBits)
        let guest = clusters(touching: part.range)
        let reused: UInt64? = if case .zero(let host?) = part.content, host.isOwned { host.offset } else { nil }
        let (host, oldEnd): (Range<UInt64>, UInt64)
        if let reused {
            (host, oldEnd) = (reused >> bits..<reused >> bits + UInt64(guest.count), .max)
            try checkData(host.lowerBound << bits, UInt64(guest.count) << bits)
        } else {
            (host, oldEnd) = try changes.withLock { (changes) throws(DiskImageError) in
                // Before the data: what fails here leaves nothing behind.
                _ = try prepareEntry(of: guest.lowerBound, &changes)
                let end = file.end
                return (try allocate(min(UInt64(guest.count), entriesLeft(in: guest)), &changes), end)
            }
        }
        let placed = guest.lowerBound..<guest.lowerBound + UInt64(host.count)
        let end = min(part.range.upperBound, placed.upperBound << bits)
        // Clusters behind the old end of a file have never been written.
        let isBlank = file.isRegular && host.lowerBound << bits >= oldEnd
        do throws(DiskImageError) {
            let written = part.range.lowerBound..<end
            try write(buffers.slice(from: 0, count: Int(end - part.range.lowerBound)), written, part, host, isBlank)
            try changes.withLock { (changes) throws(DiskImageError) in
                try setEntries(placed, &changes) { distance, _ in
                    (host.lowerBound + distance) << bits | Qcow2Content.ownedFlag
                }
            }
        } catch {
            if reused == nil {
                try? changes.withLock { (changes) throws(DiskImageError) in try release(host, &changes) }
            }
            throw error
        }
        return end
    }

    /// How many entries the page of the first cluster has from there on.
    private func entriesLeft(in clusters: Range<UInt64>) -> UInt64 {
        let entries = UInt64(geometry.pageSize / 8)
        return entries - clusters.lowerBound % entries
    }

    /// Writes the bytes of `range` to host clusters, and around them what else these clusters have to hold.
    ///
    /// - Parameter isBlank: the host clusters read as zeroes.
    private func write(
        _ buffers: IOBuffers, _ range: Range<UInt64>, _ part: Qcow2Part, _ host: Range<UInt64>, _ isBlank: Bool
    ) throws(DiskImageError) {
        let bits = UInt64(geometry.clusterBits)
        let start = (range.lowerBound >> bits) << bits
        let head = try surroundings(start..<range.lowerBound, part.content, isBlank)
        // What lies behind the disk's end in its last cluster is zero.
        let clusterEnd = geometry.clusters(holding: range.upperBound) << bits
        let tail = try surroundings(range.upperBound..<clusterEnd, part.content, isBlank)
        defer {
            head?.deallocate()
            tail?.deallocate()
        }
        var all = IOBuffers()
        if let head { all.append(head) }
        all.append(buffers)
        if let tail { all.append(tail) }
        let position = host.lowerBound << bits + (head == nil ? range.lowerBound - start : 0)
        try file.descriptor.writeAll(at: position, from: all)
    }

    /// The present contents of a part of a cluster, for the caller to deallocate; nil where nothing has to be written.
    private func surroundings(
        _ range: Range<UInt64>, _ content: Qcow2Content, _ isBlank: Bool
    ) throws(DiskImageError) -> UnsafeMutableRawBufferPointer? {
        guard !range.isEmpty else { return nil }
        let isZero: Bool =
            switch content {
            case .zero: true
            case .unallocated: baseCount(at: range.lowerBound, of: UInt64(range.count)) == 0
            case .data, .compressed: false
            }
        if isZero && isBlank { return nil }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 4096)
        do throws(DiskImageError) {
            var position = range.lowerBound
            let end = min(range.upperBound, size)
            while position < end {
                let found = try part(at: position, limit: end)
                let start = Int(position - range.lowerBound)
                let target = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + Int(found.count)])
                try read(found, into: IOBuffers(target))
                position = found.range.upperBound
            }
            IOBuffers(
                UnsafeMutableRawBufferPointer(rebasing: bytes[Int(max(end, range.lowerBound) - range.lowerBound)...])
            )
            .clear()
        } catch {
            bytes.deallocate()
            throw error
        }
        return bytes
    }
}

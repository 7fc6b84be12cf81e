internal import HostSystem
internal import Synchronization

/// Gives a disk image another size.
package struct DiskResize {
    /// - Parameters:
    ///   - size: in bytes; whole sectors.
    ///   - shrinks: whether a disk may lose its end.
    package static func resize(
        path: String, format: DiskImageFormat?, to size: UInt64, shrinks: Bool
    ) throws(DiskImageError) {
        let image = try DiskImageChain.open(path: path, format: format, readOnly: false)
        defer { image.close() }
        let old = image.size
        guard size >= old || shrinks else {
            throw .unsupported(
                path: path, found: "the disk has \(old) bytes, more than \(size)",
                advice: "add --shrink to lose what lies behind")
        }
        if let raw = image as? RawDiskImage { return try raw.resize(to: size) }
        guard let qcow2 = image as? Qcow2DiskImage else { return }
        try qcow2.resize(to: size)
        image.close()
        guard size > old else { return }
        // A longer backing file does not show in what is new.
        let grown = try DiskImageChain.open(path: path, format: format, readOnly: false)
        defer { grown.close() }
        let end = min(size, (grown as? Qcow2DiskImage)?.base?.size ?? 0)
        if end > old { try grown.writeZeroes(at: old, count: end - old, mayUnmap: true) }
        try grown.flush()
    }
}

extension RawDiskImage {
    fileprivate func resize(to size: UInt64) throws(DiskImageError) {
        do {
            let kind = try file.kind()
            if kind == .regular {
                try file.truncate(to: size)
                return try file.synchronize()
            }
        } catch {
            throw .system(error)
        }
        throw .unsupported(path: path, found: "the size of a block device is fixed", advice: "give a file")
    }
}

extension Qcow2DiskImage {
    /// Changes the size in the header. The image is closed next: the size of this object stays.
    fileprivate func resize(to size: UInt64) throws(DiskImageError) {
        guard header.snapshotCount == 0 else {
            throw .unsupported(
                path: file.path, found: "the image has \(header.snapshotCount) internal snapshots",
                advice: "delete them with 'qemu-img snapshot -d'")
        }
        guard size <= Qcow2Creation.largestSize(clusterSize: geometry.clusterSize) else {
            throw .unsupported(
                path: file.path, found: "a disk of \(size) bytes with clusters of \(geometry.clusterSize) bytes",
                advice: "convert it to larger clusters with 'aerie disk convert'")
        }
        if size < self.size {
            // When the disk grows again, the end must not come back.
            try writeZeroes(at: size, count: self.size - size, mayUnmap: true)
        }
        try flush()
        if geometry.l1Count(for: size) > UInt64(header.l1Count) { try growL1(to: Int(geometry.l1Count(for: size))) }
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.storeBigEndian(size, at: 0)
        try file.write(at: UInt64(Qcow2Header.Field.size), bytes)
        try file.synchronize()
    }

    /// Moves the L1 table to where it has room. No table has a change that is not written.
    private func growL1(to count: Int) throws(DiskImageError) {
        let clusters = geometry.clusters(holding: UInt64(count) * 8)
        var table = [UInt8](repeating: 0, count: Int(clusters << UInt64(geometry.clusterBits)))
        tables.withLock { tables in
            for (index, entry) in tables.l1.enumerated() { table.storeBigEndian(entry, at: index * 8) }
        }
        try changes.withLock { (changes) throws(DiskImageError) in
            guard let first = try changes.refcounts?.allocateTogether(clusters).lowerBound else { throw .readOnly }
            let offset = first << UInt64(geometry.clusterBits)
            try file.write(at: offset, table)
            try writeTables(&changes)
            try file.synchronize()
            var place = [UInt8](repeating: 0, count: 12)
            place.storeBigEndian(UInt32(count), at: 0)
            place.storeBigEndian(offset, at: 4)
            try file.write(at: UInt64(Qcow2Header.Field.l1), place)
            try file.synchronize()
            let old = header.l1Offset >> UInt64(geometry.clusterBits)
            let oldClusters = geometry.clusters(holding: UInt64(header.l1Count) * 8)
            try release(old..<old + oldClusters, &changes)
            try writeTables(&changes)
        }
    }
}

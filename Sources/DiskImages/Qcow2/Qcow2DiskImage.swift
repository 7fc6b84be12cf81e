internal import HostSystem
internal import Synchronization

/// A disk in a qcow2 file: only clusters that were written have a place in it, the others are those of a base or zero (QEMU's
/// docs/interop/qcow2).
///
/// Data are written before the tables that refer to them, and tables are written by `flush`, in an order that leaves at most
/// clusters without use when the host ends in the middle: reference counts, L2 tables, then the counts of clusters that were
/// given up. The file is locked as that of a `RawDiskImage` is.
///
/// Locks are taken in this order: a claim on guest clusters whose place changes; `changes`, which is held during host I/O; `tables`,
/// which is not. What is on the event loop takes the last only.
package final class Qcow2DiskImage: DiskImage {
    package let size: UInt64
    package let isReadOnly: Bool
    let file: Qcow2File
    let header: Qcow2Header
    /// What unallocated clusters are; nil for zeroes.
    let base: (any DiskImage)?
    let tables: Mutex<Qcow2Tables>
    let changes: Mutex<Qcow2Changes>
    let structures: Qcow2Structures?
    let uses = Qcow2Uses()
    private let handover = DiskHandover()
    // Guest clusters whose place is being changed. Whoever has a claim does not wait for a thread of the pool, where others may be
    // waiting for the claim.
    let claims = Monitor<[Range<UInt64>]>([])
    /// Whether tables in memory differ from the file.
    let hasChangedTables = Atomic(false)
    let isDamaged = Atomic(false)
    private let decompressor: Qcow2Decompressor
    /// Whether `flush` waits for the medium.
    let synchronizes: Bool

    var geometry: Qcow2Geometry { header.geometry }

    /// Opens the image in `file`, whose header was read.
    ///
    /// - Parameters:
    ///   - base: read-only; the caller has opened what the header names.
    ///   - synchronizes: false for a disk that may be lost when the host ends.
    init(
        _ file: Qcow2File, _ header: Qcow2Header, base: (any DiskImage)?, synchronizes: Bool = true
    ) throws(DiskImageError) {
        self.file = file
        self.header = header
        self.base = base
        self.synchronizes = synchronizes
        size = header.size
        isReadOnly = file.isReadOnly
        decompressor = Qcow2Decompressor(header, path: file.path)
        let tables = try Qcow2Tables(file: file, header: header)
        if file.isReadOnly {
            structures = nil
            changes = Mutex(Qcow2Changes(refcounts: nil))
        } else {
            let table = try file.refcountTable(header)
            let structures = try Qcow2Structures(header, l1: tables.l1, refcountTable: table, path: file.path)
            self.structures = structures
            changes = Mutex(
                Qcow2Changes(
                    refcounts: try Qcow2Refcounts(file: file, header: header, table: table, structures: structures)))
        }
        self.tables = Mutex(tables)
    }

    package func close() {
        // Again for the counts of clusters that the first time made free.
        for _ in 0..<2 { try? writeTables() }
        file.descriptor.unlock()
        base?.close()
    }

    package func handOver() throws(DiskImageError) {
        try checkWritable()
        // Twice, as at the close.
        for _ in 0..<2 { try writeTables() }
        try handover.give(file.descriptor)
    }

    package func takeBack(_ files: DiskFiles, isUnused: Bool) throws(DiskImageError) {
        try handover.take(
            try files.top(isDirect: false), path: file.path, file.descriptor.rawValue, isUnused: isUnused)
    }

    package func stamp() throws(DiskImageError) -> DiskStamp? {
        guard !isReadOnly else { return nil }
        do throws(SystemError) { return try DiskStamp(file.descriptor) } catch { throw .system(error) }
    }

    // MARK: Reading

    package func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try checkRange(offset, UInt64(buffers.count))
        let epoch = uses.begin()
        defer { uses.end(epoch) }
        let end = offset + UInt64(buffers.count)
        var position = offset
        while position < end {
            let part = try part(at: position, limit: end)
            try read(part, into: buffers.slice(from: Int(position - offset), count: Int(part.count)))
            position = part.range.upperBound
        }
    }

    /// Finds where the contents from `offset` on are, and loads the tables that say so.
    func part(at offset: UInt64, limit: UInt64) throws(DiskImageError) -> Qcow2Part {
        while true {
            let found = try tables.withLock { (tables) throws(DiskImageError) in
                try tables.lookup(offset, limit: limit)
            }
            switch found {
            case .part(let part): return part
            case .missing(let page):
                try changes.withLock { (changes) throws(DiskImageError) in try load(page, &changes) }
            }
        }
    }

    func read(_ part: Qcow2Part, into buffers: IOBuffers) throws(DiskImageError) {
        switch part.content {
        case .unallocated: try readBase(at: part.range.lowerBound, into: buffers)
        case .zero: buffers.clear()
        case .data(let host): try file.read(at: host.offset, into: buffers)
        case .compressed(let data):
            let within = Int(part.range.lowerBound & (geometry.clusterSize - 1))
            try decompressor.read(data, from: within, into: buffers, of: file)
        }
    }

    private func readBase(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        let present = baseCount(at: offset, of: UInt64(buffers.count))
        if let base, present > 0 { try base.read(at: offset, into: buffers.slice(from: 0, count: Int(present))) }
        buffers.slice(from: Int(present), count: buffers.count - Int(present)).clear()
    }

    /// How many of `count` bytes from `offset` on the base has.
    func baseCount(at offset: UInt64, of count: UInt64) -> UInt64 {
        guard let base, offset < base.size else { return 0 }
        return min(count, base.size - offset)
    }
}

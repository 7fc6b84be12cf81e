package import SavedState

/// A read-only disk that has zeroes behind the end of another one.
package final class GrownDiskImage: DiskImage {
    package let size: UInt64
    package let isReadOnly = true
    private let base: any DiskImage

    /// - Parameters:
    ///   - base: read-only.
    ///   - size: in bytes; whole sectors, and at least the base's.
    package init(_ base: any DiskImage, size: UInt64) throws(DiskImageError) {
        guard base.isReadOnly else { throw .writableBase }
        precondition(size >= base.size && size % sectorSize == 0, "a disk grows by whole sectors")
        self.base = base
        self.size = size
    }

    package func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try checkRange(offset, UInt64(buffers.count))
        let present = clearEnd(offset, buffers)
        if present.count > 0 { try base.read(at: offset, into: present) }
    }

    /// Sets what lies behind the base to zero.
    ///
    /// - Returns: what the base has.
    private func clearEnd(_ offset: UInt64, _ buffers: IOBuffers) -> IOBuffers {
        let present = offset < base.size ? Int(min(UInt64(buffers.count), base.size - offset)) : 0
        buffers.slice(from: present, count: buffers.count - present).clear()
        return buffers.slice(from: 0, count: present)
    }

    package func submit(_ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion) {
        let isPossible = passes(in: group, completion: completion) { () throws(DiskImageError) in
            if request.operation != .read && request.operation != .flush { throw .readOnly }
            try checkRange(request.offset, request.count)
        }
        guard isPossible else { return }
        let present = clearEnd(request.offset, request.buffers)
        guard present.count > 0 else { return group.io.finish(completion, nil) }
        base.submit(.read(at: request.offset, into: present), in: group, completion: completion)
    }

    package func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) { throw .readOnly }
    package func flush() throws(DiskImageError) {}
    package func discard(at offset: UInt64, count: UInt64) throws(DiskImageError) { throw .readOnly }

    package func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        throw .readOnly
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "grown-disk", version: 1)
        record.set("size", size)
        record.set("base", try base.save())
        return record
    }

    package func verify(_ saved: SavedRecord) throws(SavedStateError) {
        try saved.expect(kind: "grown-disk", versions: 1...1)
        guard try saved.integer("size") == size else { throw .badField(kind: "grown-disk", field: "size") }
        try base.verify(try saved.record("base"))
    }

    package func close() { base.close() }
}

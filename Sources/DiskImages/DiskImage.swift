package import SavedState

/// A guest's disk as the host keeps it: a run of sectors behind some file format.
///
/// Offsets and counts are in bytes; a request outside of `size` fails with `outOfRange`, and one that changes a read-only disk
/// with `readOnly`.
///
/// A request either blocks its caller (`read`, `write`, `flush`, `discard`, `writeZeroes`; any thread) or is submitted and
/// completes later (`submit`; on the event loop, many at a time). A format has to implement the first way, and gets the second
/// from it by way of a thread; it implements `submit` as well where it can do without the thread.
///
/// Requests that overlap in time may take effect in either order, but each sees whole what a request that had completed
/// before it began has written. A flush makes durable what had completed before it began.
package protocol DiskImage: AnyObject, Sendable {
    /// The size that the guest sees, in bytes; a multiple of `sectorSize`. Only `grow` changes it.
    var size: UInt64 { get }

    /// True when everything but reading and flushing fails with `readOnly`.
    var isReadOnly: Bool { get }

    /// Reads as many bytes as `buffers` holds.
    func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError)

    /// Writes all of `buffers`; when it throws, any part may have been written.
    func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError)

    /// Returns when everything written before is as durable as the image promises.
    func flush() throws(DiskImageError)

    /// Drops the contents of the range; later reads of it return any data that the image chooses.
    func discard(at offset: UInt64, count: UInt64) throws(DiskImageError)

    /// Makes the range read as zeroes; with `mayUnmap` the image may give the space back.
    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError)

    /// Begins a request. Only on the thread of the group's event loop, where `completion` is called later.
    ///
    /// The caller keeps the memory of the request's buffers in place until `completion`, and bounds the number of requests and
    /// their size: an image may cut a request into as many host operations as it has clusters.
    func submit(_ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion)

    /// Makes the disk larger while it is used; the new part reads as zeroes. Any thread, one call at a time.
    ///
    /// - Parameter size: bytes, a multiple of `sectorSize`.
    func grow(to size: UInt64) throws(DiskImageError)

    /// What a machine that was saved with this image has to find again: its kind, and how to know its file. The contents
    /// are not in it. Nobody writes meanwhile.
    func save() throws(SavedStateError) -> SavedRecord

    /// Throws unless this image, not yet written to, can stand in for the one that `save` described.
    func verify(_ saved: SavedRecord) throws(SavedStateError)

    /// Makes everything durable, and closes the image's own file, so that another process can lock it. Until `takeBack`, every request fails and
    /// nothing is written. What the image is based on stays open. Nobody uses the image meanwhile. When this throws, the image is as it was.
    func handOver() throws(DiskImageError)

    /// Goes on with the image's own file, which is as `handOver` left it.
    ///
    /// - Parameters:
    ///   - files: has it open and locked.
    ///   - isUnused: whether the process that it was given to has not used it. Without that, a block device is refused.
    func takeBack(_ files: DiskFiles, isUnused: Bool) throws(DiskImageError)

    /// The image's own file at this moment; nil for an image that nobody can write to. The image is open, and was not handed over.
    func stamp() throws(DiskImageError) -> DiskStamp?

    /// The last call: gives the image's files free for others, without waiting for the object's end or for the host's disk.
    func close()
}

/// The unit in which guests address disks, in bytes.
package let sectorSize: UInt64 = 512

extension DiskImage {
    package func grow(to size: UInt64) throws(DiskImageError) { throw .cannotGrow }

    package func handOver() throws(DiskImageError) { throw .readOnly }
    package func takeBack(_ files: DiskFiles, isUnused: Bool) throws(DiskImageError) { throw .readOnly }
    package func stamp() throws(DiskImageError) -> DiskStamp? { nil }

    func checkRange(_ offset: UInt64, _ count: UInt64) throws(DiskImageError) {
        guard offset <= size, count <= size - offset else {
            throw .outOfRange(offset: offset, count: count, size: size)
        }
    }

    func checkWritable() throws(DiskImageError) {
        if isReadOnly { throw .readOnly }
    }

    /// Serves a request on the calling thread.
    package func perform(_ request: DiskRequest) throws(DiskImageError) {
        switch request.operation {
        case .read: try read(at: request.offset, into: request.buffers)
        case .write: try write(at: request.offset, from: request.buffers)
        case .flush: try flush()
        case .discard: try discard(at: request.offset, count: request.count)
        case .writeZeroes(let mayUnmap):
            try writeZeroes(at: request.offset, count: request.count, mayUnmap: mayUnmap)
        }
    }

    /// Serves a request on a thread of the pool.
    package func submitBlocking(
        _ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion
    ) {
        group.io.runBlocking(completion) { [self] in
            if group.isCancelled { return .cancelled }
            do throws(DiskImageError) { try perform(request) } catch { return error }
            return nil
        }
    }

    package func submit(_ request: DiskRequest, in group: IOGroup, completion: @escaping DiskCompletion) {
        submitBlocking(request, in: group, completion: completion)
    }

    /// Completes the request with the error that `check` throws.
    ///
    /// - Returns: whether it threw none, so that the request goes on.
    func passes(
        in group: IOGroup, completion: @escaping DiskCompletion, _ check: () throws(DiskImageError) -> Void
    ) -> Bool {
        do {
            try check()
            return true
        } catch {
            group.io.finish(completion, error)
            return false
        }
    }
}

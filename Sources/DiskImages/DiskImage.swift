package import SavedState

/// A guest's disk as the host keeps it: a run of sectors behind some file format.
///
/// Offsets and counts are in bytes; a request is always within `size`, or it throws `outOfRange`. Calls may come from
/// several threads at once (one for each queue of a disk) and block for host I/O. Requests that overlap in time may take
/// effect in either order, but each sees whole what a call that had returned before it wrote.
package protocol DiskImage: AnyObject, Sendable {
    /// What the guest sees, in bytes; a multiple of `sectorSize`. It does not change.
    var size: UInt64 { get }

    /// True when every call but `read` and `flush` throws `readOnly`.
    var isReadOnly: Bool { get }

    /// Reads as many bytes as `buffers` holds.
    func read(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError)

    /// Writes all of `buffers`; when it throws, any part may have been written.
    func write(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError)

    /// Returns when everything written before is as durable as the image promises.
    func flush() throws(DiskImageError)

    /// Tells that the guest has no use for the range's contents; what it reads there afterwards is up to the image.
    func discard(at offset: UInt64, count: UInt64) throws(DiskImageError)

    /// Makes the range read as zeroes; with `mayUnmap` the image may give the space back.
    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError)

    /// What a machine that was saved with this image has to find again: its kind, and how to know its file. The contents
    /// are not in it. Nobody writes meanwhile.
    func save() throws(SavedStateError) -> SavedRecord

    /// Throws unless this image, not yet written to, can stand in for the one that `save` described.
    func verify(_ saved: SavedRecord) throws(SavedStateError)

    /// The last call: gives the image's files free for others, without waiting for the object's end.
    func close()
}

/// The unit in which guests address disks, in bytes.
package let sectorSize: UInt64 = 512

extension DiskImage {
    func checkRange(_ offset: UInt64, _ count: UInt64) throws(DiskImageError) {
        guard offset <= size, count <= size - offset else {
            throw .outOfRange(offset: offset, count: count, size: size)
        }
    }

    func checkWritable() throws(DiskImageError) {
        if isReadOnly { throw .readOnly }
    }
}

internal import Glibc
internal import HostSystem
internal import SavedState

/// How an image's file is known again without reading all of it: its size, the time of its last change, and a checksum of where
/// file systems, partition tables and image formats keep what every use of them changes. A copy that keeps the time is the same
/// file.
struct SavedFile {
    private static let headLength: UInt64 = 65536

    let path: String

    /// Adds the file's description to a record.
    func describe(_ file: borrowing FileDescriptor, in record: inout SavedRecord) throws(SavedStateError) {
        record.set("path", absolutePath)
        do {
            // A raw image's file has grown if its last sector was not whole and was written.
            record.set("size", try file.size())
            record.set("modified", try modificationTime(of: file))
            record.set("headChecksum", try headChecksum(of: file))
        } catch {
            throw .cannotSave(name: "disk \(path)", reason: "\(error)")
        }
    }

    /// Throws unless the file is the one that `describe` described.
    ///
    /// - Parameter size: the file's size when it was opened.
    func verify(
        _ saved: SavedRecord, _ file: borrowing FileDescriptor, size: UInt64, isReadOnly: Bool
    ) throws(SavedStateError) {
        let savedPath = try saved.text("path")
        let name = "disk \(path)" + (savedPath == absolutePath ? "" : " (then \(savedPath))")
        let savedSize: UInt64 = try saved.integer("size")
        guard savedSize == size else {
            throw .changed(name: name, difference: "it had \(savedSize) bytes and now has \(size)")
        }
        guard try saved.boolean("isReadOnly") == isReadOnly else {
            throw .changed(name: name, difference: isReadOnly ? "it was writable" : "it was read-only")
        }
        let found: (modified: Int64, checksum: UInt32)
        do {
            found = (try modificationTime(of: file), try headChecksum(of: file))
        } catch {
            throw .changed(name: name, difference: "\(error)")
        }
        guard try saved.integer("modified") == found.modified, try saved.integer("headChecksum") == found.checksum
        else {
            throw .changed(name: name, difference: "it has been written to since")
        }
    }

    /// A relative path stays as it is: a jailed process has no current directory to ask for.
    private var absolutePath: String {
        guard path.hasPrefix("/"), let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// A device's node tells when the node was touched, which says nothing of its contents.
    func modificationTime(of file: borrowing FileDescriptor) throws(SystemError) -> Int64 {
        try file.kind() == .regular ? try file.modificationTime() : 0
    }

    func headChecksum(of file: borrowing FileDescriptor) throws(DiskImageError) -> UInt32 {
        let present: UInt64
        do { present = try file.size() } catch { throw .system(error) }
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(Self.headLength, present)), alignment: 16)
        defer { head.deallocate() }
        try file.readAll(at: 0, into: IOBuffers(head))
        return CRC32C.checksum(of: head)
    }
}

internal import Glibc
internal import HostSystem
package import SavedState

// How a file is known again without reading all of it: its size, the time of its last change, and a checksum of where
// file systems and partition tables keep what every use of them changes. A copy that keeps the time is the same file.
extension RawDiskImage {
    private static let kind = "raw-disk"
    private static let headLength: UInt64 = 65536

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("path", absolutePath)
        record.set("isReadOnly", isReadOnly)
        do {
            // The file has grown if its last sector was not whole and was written.
            record.set("size", try file.size())
            record.set("modified", try modificationTime())
            record.set("headChecksum", try headChecksum())
        } catch {
            throw .cannotSave(name: "disk \(path)", reason: "\(error)")
        }
        return record
    }

    package func verify(_ saved: SavedRecord) throws(SavedStateError) {
        try saved.expect(kind: Self.kind, versions: 1...1)
        let savedPath = try saved.text("path")
        let name = "disk \(path)" + (savedPath == absolutePath ? "" : " (then \(savedPath))")
        let size: UInt64 = try saved.integer("size")
        guard size == fileSize else {
            throw .changed(name: name, difference: "it had \(size) bytes and now has \(fileSize)")
        }
        guard try saved.boolean("isReadOnly") == isReadOnly else {
            throw .changed(name: name, difference: isReadOnly ? "it was writable" : "it was read-only")
        }
        let found: (modified: Int64, checksum: UInt32)
        do {
            found = (try modificationTime(), try headChecksum())
        } catch {
            throw .changed(name: name, difference: "\(error)")
        }
        guard try saved.integer("modified") == found.modified, try saved.integer("headChecksum") == found.checksum
        else {
            throw .changed(name: name, difference: "it has been written to since")
        }
    }

    private var absolutePath: String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// A device's node tells when the node was touched, which says nothing of its contents.
    private func modificationTime() throws(SystemError) -> Int64 {
        try file.kind() == .regular ? try file.modificationTime() : 0
    }

    private func headChecksum() throws(DiskImageError) -> UInt32 {
        let present: UInt64
        do { present = try file.size() } catch { throw .system(error) }
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(Self.headLength, present)), alignment: 16)
        defer { head.deallocate() }
        try file.readAll(at: 0, into: IOBuffers(head))
        return CRC32C.checksum(of: head)
    }
}

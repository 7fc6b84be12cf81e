internal import HostSystem
package import SavedState

extension Qcow2DiskImage {
    private static let kind = "qcow2-disk"

    package func save() throws(SavedStateError) -> SavedRecord {
        do throws(DiskImageError) {
            // The file has to be the same when the machine is restored, whether or not this process flushes once more.
            for _ in 0..<2 where !isReadOnly { try writeTables() }
        } catch {
            throw .cannotSave(name: "disk \(file.path)", reason: "\(error)")
        }
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("isReadOnly", isReadOnly)
        try SavedFile(path: file.path).describe(file.descriptor, in: &record)
        if let base { record.set("base", try base.save()) }
        return record
    }

    package func verify(_ saved: SavedRecord) throws(SavedStateError) {
        try saved.expect(kind: Self.kind, versions: 1...1)
        try SavedFile(path: file.path).verify(saved, file.descriptor, size: file.end, isReadOnly: isReadOnly)
        if let base { try base.verify(try saved.record("base")) }
    }
}

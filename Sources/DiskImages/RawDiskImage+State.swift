internal import HostSystem
package import SavedState

extension RawDiskImage {
    private static let kind = "raw-disk"

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("isReadOnly", isReadOnly)
        try SavedFile(path: path).describe(file, in: &record)
        return record
    }

    package func verify(_ saved: SavedRecord) throws(SavedStateError) {
        try saved.expect(kind: Self.kind, versions: 1...1)
        try SavedFile(path: path).verify(saved, file, size: fileSize, isReadOnly: isReadOnly)
    }
}

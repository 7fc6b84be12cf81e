import Machine
import SavedState
import Testing

/// What tests do with saved states.
enum SavedRecordCopy {
    /// The record after it was written and read again.
    static func throughBytes(_ record: SavedRecord) throws -> SavedRecord {
        try SavedRecord(encoded: record.encoded(), limit: 128 << 20)
    }

    /// The record with another list of integers, of which the element at `place` is `value`.
    static func changing(
        _ record: SavedRecord, _ field: String, at place: Int, to value: UInt64
    ) throws -> SavedRecord {
        var copy = SavedRecord(kind: record.kind, version: record.version)
        for (name, other) in record.fields where name != field { copy.set(name, other) }
        var values = try record.integers(field)
        values[place] = value
        copy.set(field, values)
        return copy
    }

    /// Expects that the device refuses its own state with any one field missing or of a wrong type, a wrong kind, and an
    /// unknown version, and takes the state itself.
    static func expectEveryFieldIsChecked(of device: any Device) throws {
        let saved = try device.save()
        func copy(kind: String, version: UInt32, _ change: (String, SavedValue) -> SavedValue?) -> SavedRecord {
            var record = SavedRecord(kind: kind, version: version)
            for (name, value) in saved.fields {
                if let changed = change(name, value) { record.set(name, changed) }
            }
            return record
        }
        for field in saved.fields.keys {
            let missing = copy(kind: saved.kind, version: saved.version) { $0 == field ? nil : $1 }
            let wrong = copy(kind: saved.kind, version: saved.version) { $0 == field ? .text("wrong") : $1 }
            #expect(throws: SavedStateError.missingField(kind: saved.kind, field: field)) {
                try device.restore(missing)
            }
            #expect(throws: SavedStateError.badField(kind: saved.kind, field: field)) { try device.restore(wrong) }
        }
        #expect(throws: SavedStateError.wrongKind(found: "toaster", expected: saved.kind)) {
            try device.restore(copy(kind: "toaster", version: saved.version) { $1 })
        }
        #expect(throws: SavedStateError.unknownVersion(kind: saved.kind, found: 99, known: 1...saved.version)) {
            try device.restore(copy(kind: saved.kind, version: 99) { $1 })
        }
        try device.restore(saved)
        #expect(try device.save() == saved)
    }
}

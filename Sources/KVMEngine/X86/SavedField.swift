#if arch(x86_64)
    internal import SavedState

    /// A field of a KVM structure with its name in the saved state. The same table encodes and decodes the structure.
    struct SavedField<Structure: Sendable>: Sendable {
        let name: String
        let get: @Sendable (Structure) -> UInt64
        let set: @Sendable (inout Structure, UInt64) -> Bool

        init<Integer: FixedWidthInteger & UnsignedInteger & Sendable>(
            _ name: String, _ path: any WritableKeyPath<Structure, Integer> & Sendable
        ) {
            self.name = name
            get = { UInt64($0[keyPath: path]) }
            set = { structure, value in
                guard let exact = Integer(exactly: value) else { return false }
                structure[keyPath: path] = exact
                return true
            }
        }
    }

    /// Encodes and decodes a KVM structure by a table of its fields.
    enum SavedFields {
        static func encode<Structure: Sendable>(
            _ kind: String, _ structure: Structure, _ fields: [SavedField<Structure>]
        ) -> SavedRecord {
            var record = SavedRecord(kind: kind, version: 1)
            for field in fields { record.set(field.name, field.get(structure)) }
            return record
        }

        static func decode<Structure: Sendable>(
            _ record: SavedRecord, _ kind: String, _ empty: Structure, _ fields: [SavedField<Structure>]
        ) throws(SavedStateError) -> Structure {
            try record.expect(kind: kind, versions: 1...1)
            var result = empty
            for field in fields {
                guard field.set(&result, try record.integer(field.name)) else {
                    throw .badField(kind: kind, field: field.name)
                }
            }
            return result
        }
    }
#endif

/// A field's value in a saved state.
package enum SavedValue: Equatable, Sendable {
    case boolean(Bool)
    case unsigned(UInt64)
    case signed(Int64)
    case text(String)
    case bytes([UInt8])
    case list([SavedValue])
    case record(SavedRecord)
}

/// The saved state of a part of a machine: its kind, the version of its layout, and named, typed fields.
///
/// A part writes its fields with `set` and reads them with the typed getters. A getter throws `SavedStateError` when the field
/// is missing, has another type, or is out of range. A damaged or foreign state is therefore an error, never a crash.
package struct SavedRecord: Equatable, Sendable {
    package let kind: String
    package let version: UInt32
    package private(set) var fields: [String: SavedValue] = [:]

    package init(kind: String, version: UInt32) {
        self.kind = kind
        self.version = version
    }

    package mutating func set(_ name: String, _ value: SavedValue) {
        precondition(fields.updateValue(value, forKey: name) == nil, "field \(name) is set twice")
    }

    package mutating func set(_ name: String, _ value: some FixedWidthInteger & UnsignedInteger) {
        set(name, .unsigned(UInt64(value)))
    }

    package mutating func set(_ name: String, _ value: some FixedWidthInteger & SignedInteger) {
        set(name, .signed(Int64(value)))
    }

    package mutating func set(_ name: String, _ value: Bool) { set(name, .boolean(value)) }
    package mutating func set(_ name: String, _ value: String) { set(name, .text(value)) }
    package mutating func set(_ name: String, _ value: [UInt8]) { set(name, .bytes(value)) }
    package mutating func set(_ name: String, _ value: SavedRecord) { set(name, .record(value)) }

    package mutating func set(_ name: String, _ values: some Sequence<UInt64>) {
        set(name, .list(values.map { .unsigned($0) }))
    }

    package mutating func set(_ name: String, _ records: [SavedRecord]) {
        set(name, .list(records.map { .record($0) }))
    }

    /// Throws unless the record is of `kind` with a version in `versions`.
    package func expect(kind: String, versions: ClosedRange<UInt32>) throws(SavedStateError) {
        guard kind == self.kind else { throw .wrongKind(found: self.kind, expected: kind) }
        guard versions.contains(version) else { throw .unknownVersion(kind: kind, found: version, known: versions) }
    }

    package func value(_ name: String) throws(SavedStateError) -> SavedValue {
        guard let value = fields[name] else { throw .missingField(kind: kind, field: name) }
        return value
    }

    /// An integer field that is in the range of `Integer`.
    package func integer<Integer: FixedWidthInteger>(
        _ name: String, as type: Integer.Type = Integer.self
    ) throws(SavedStateError) -> Integer {
        switch try value(name) {
        case .unsigned(let value):
            guard let result = Integer(exactly: value) else { throw .badField(kind: kind, field: name) }
            return result
        case .signed(let value):
            guard let result = Integer(exactly: value) else { throw .badField(kind: kind, field: name) }
            return result
        default: throw .badField(kind: kind, field: name)
        }
    }

    package func boolean(_ name: String) throws(SavedStateError) -> Bool {
        guard case .boolean(let value) = try value(name) else { throw .badField(kind: kind, field: name) }
        return value
    }

    package func text(_ name: String) throws(SavedStateError) -> String {
        guard case .text(let value) = try value(name) else { throw .badField(kind: kind, field: name) }
        return value
    }

    /// A field of at most `limit` bytes.
    package func bytes(_ name: String, limit: Int) throws(SavedStateError) -> [UInt8] {
        guard case .bytes(let value) = try value(name), value.count <= limit else {
            throw .badField(kind: kind, field: name)
        }
        return value
    }

    package func record(_ name: String) throws(SavedStateError) -> SavedRecord {
        guard case .record(let value) = try value(name) else { throw .badField(kind: kind, field: name) }
        return value
    }

    /// A list of exactly `count` unsigned integers; of any length when nil.
    package func integers(_ name: String, count: Int? = nil) throws(SavedStateError) -> [UInt64] {
        try list(name, count: count) { value in
            if case .unsigned(let integer) = value { integer } else { nil }
        }
    }

    /// A list of exactly `count` records; of any length when nil.
    package func records(_ name: String, count: Int? = nil) throws(SavedStateError) -> [SavedRecord] {
        try list(name, count: count) { value in
            if case .record(let record) = value { record } else { nil }
        }
    }

    private func list<Element>(
        _ name: String, count: Int?, _ element: (SavedValue) -> Element?
    ) throws(SavedStateError) -> [Element] {
        guard case .list(let values) = try value(name), count == nil || values.count == count else {
            throw .badField(kind: kind, field: name)
        }
        var result: [Element] = []
        result.reserveCapacity(values.count)
        for value in values {
            guard let element = element(value) else { throw .badField(kind: kind, field: name) }
            result.append(element)
        }
        return result
    }
}

internal import SavedState

/// The registers of an ACLINT, indexed by hart.
struct ACLINTState: Equatable, Sendable {
    static let kind = "aclint"

    var timeCompare: [UInt64]
    var softwareInterrupts: [Bool]

    init(harts: Int) {
        timeCompare = Array(repeating: .max, count: harts)
        softwareInterrupts = Array(repeating: false, count: harts)
    }

    var saved: SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("timeCompare", timeCompare)
        record.set("softwareInterrupts", softwareInterrupts.map { $0 ? UInt64(1) : 0 })
        return record
    }

    init(_ record: SavedRecord, harts: Int) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        timeCompare = try record.integers("timeCompare", count: harts)
        let masks = [UInt32](repeating: 1, count: harts)
        softwareInterrupts = try record.words("softwareInterrupts", masks: masks).map { $0 == 1 }
    }
}

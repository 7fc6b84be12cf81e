/// Reads a payload that is a list of fields: u16 tag, u16 zero, u32 length, bytes.
struct RecordReader {
    private let bytes: [UInt8]
    private var position = 0
    private var count = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next field, or nil at the end of the record.
    mutating func next() throws(ProtocolFault) -> RecordField? {
        guard position < bytes.count else { return nil }
        guard count < AgentLimits.fields else { throw ProtocolFault.tooManyFields }
        guard bytes.count - position >= 8 else { throw ProtocolFault.malformedRecord }
        count += 1
        let tag = UInt16(bytes[position]) | UInt16(bytes[position + 1]) << 8
        guard bytes[position + 2] == 0, bytes[position + 3] == 0 else { throw ProtocolFault.malformedRecord }
        var length = 0
        for index in (4..<8).reversed() { length = length << 8 | Int(bytes[position + index]) }
        let start = position + 8
        guard length <= bytes.count - start else { throw ProtocolFault.malformedRecord }
        position = start + length
        return RecordField(tag: tag, bytes: Array(bytes[start..<position]))
    }
}

/// One field of a record. Its readers refuse values of a wrong size or form.
struct RecordField {
    let tag: UInt16
    let bytes: [UInt8]

    var fault: ProtocolFault { .invalidField(tag) }

    func integer<Value: FixedWidthInteger & UnsignedInteger>() throws(ProtocolFault) -> Value {
        guard let value: Value = bytes.integer() else { throw fault }
        return value
    }

    /// Bytes for a system call: none of them zero, at most `limit`.
    func text(limit: Int = AgentLimits.payload, canBeEmpty: Bool = true) throws(ProtocolFault) -> [UInt8] {
        guard bytes.count <= limit, canBeEmpty || !bytes.isEmpty, !bytes.contains(0) else { throw fault }
        return bytes
    }

    func path() throws(ProtocolFault) -> [UInt8] { try text(limit: AgentLimits.path, canBeEmpty: false) }

    func empty() throws(ProtocolFault) -> Bool {
        guard bytes.isEmpty else { throw fault }
        return true
    }

    /// Flags of which only those in `known` may be set.
    func flags(known: UInt32) throws(ProtocolFault) -> UInt32 {
        let flags: UInt32 = try integer()
        guard flags & ~known == 0 else { throw fault }
        return flags
    }

    /// Stores a value of a field that may stand in the record once.
    func once<Value>(_ place: inout Value?, _ value: Value) throws(ProtocolFault) {
        guard place == nil else { throw ProtocolFault.repeatedField(tag) }
        place = value
    }
}

// The encoded form of a saved record, little endian:
//
//     offset  size  field
//          0     8  magic "AERIEST\n"
//          8     4  format version, 1
//         12     4  CRC-32C of the payload
//         16     8  payload length in bytes
//         24     n  payload: one record
//
//     record := text kind, u32 version, u32 count, count × (text name, value)
//     value  := u8 tag, then by tag: boolean u8 | unsigned u64 | signed i64 | text | bytes | list | record
//     text   := u32 length, UTF-8        bytes := u32 length, bytes        list := u32 count, values
//
// Fields are in order of their names, so that equal records have equal encodings.

private let magic: [UInt8] = Array("AERIEST\n".utf8)
private let headerSize = 24
private let formatVersion: UInt32 = 1
private let maximumDepth = 16

extension SavedRecord {
    /// The record's encoded form, with header and checksum.
    package func encoded() -> [UInt8] {
        var payload = Encoder()
        payload.append(self)
        var result = Encoder()
        result.output += magic
        result.append(formatVersion)
        result.append(CRC32C.checksum(of: payload.output))
        result.append(UInt64(payload.output.count))
        result.output += payload.output
        return result.output
    }

    /// Decodes the form that `encoded` returns.
    ///
    /// The payload's size is checked against `limit` first, then the checksum. Fields are decoded only after both.
    package init(encoded bytes: [UInt8], limit: UInt64) throws(SavedStateError) {
        guard bytes.count >= headerSize else { throw bytes.starts(with: magic) ? .truncated : .notAState }
        guard bytes.starts(with: magic) else { throw .notAState }
        var header = Decoder(input: bytes[magic.count...])
        let format = try header.integer(UInt32.self)
        guard format == formatVersion else { throw .unknownFormat(format) }
        let checksum = try header.integer(UInt32.self)
        let length = try header.integer(UInt64.self)
        guard length <= limit else { throw .tooLarge(bytes: length, limit: limit) }
        guard bytes.count - headerSize >= length else { throw .truncated }
        let payload = bytes[headerSize..<headerSize + Int(length)]
        guard CRC32C.checksum(of: payload) == checksum else { throw .damaged }
        var decoder = Decoder(input: payload)
        self = try decoder.record(depth: 0)
        guard decoder.input.isEmpty, bytes.count - headerSize == length else { throw .damaged }
    }
}

private struct Encoder {
    var output: [UInt8] = []

    mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { output.append(contentsOf: $0) }
    }

    mutating func append(_ bytes: [UInt8]) {
        append(UInt32(bytes.count))
        output += bytes
    }

    mutating func append(_ record: SavedRecord) {
        append(Array(record.kind.utf8))
        append(record.version)
        append(UInt32(record.fields.count))
        for (name, value) in record.fields.sorted(by: { $0.key < $1.key }) {
            append(Array(name.utf8))
            append(value)
        }
    }

    mutating func append(_ value: SavedValue) {
        switch value {
        case .boolean(let value):
            append(UInt8(0))
            append(UInt8(value ? 1 : 0))
        case .unsigned(let value):
            append(UInt8(1))
            append(value)
        case .signed(let value):
            append(UInt8(2))
            append(value)
        case .text(let value):
            append(UInt8(3))
            append(Array(value.utf8))
        case .bytes(let value):
            append(UInt8(4))
            append(value)
        case .list(let values):
            append(UInt8(5))
            append(UInt32(values.count))
            for value in values { append(value) }
        case .record(let record):
            append(UInt8(6))
            append(record)
        }
    }
}

private struct Decoder {
    var input: ArraySlice<UInt8>
    /// A value takes two bytes of input and some dozens of memory: a file of the largest size must not take all of the host's.
    var valuesLeft = 1 << 22

    mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) throws(SavedStateError) -> Integer {
        let size = MemoryLayout<Integer>.size
        guard input.count >= size else { throw .truncated }
        var value: Integer = 0
        for (index, byte) in input.prefix(size).enumerated() {
            value |= Integer(truncatingIfNeeded: byte) << Integer(8 * index)
        }
        input = input.dropFirst(size)
        return value
    }

    mutating func bytes() throws(SavedStateError) -> [UInt8] {
        let length = Int(try integer(UInt32.self))
        guard input.count >= length else { throw .truncated }
        let result = Array(input.prefix(length))
        input = input.dropFirst(length)
        return result
    }

    mutating func text() throws(SavedStateError) -> String {
        guard let text = String(validating: try bytes(), as: UTF8.self) else { throw .damaged }
        return text
    }

    mutating func record(depth: Int) throws(SavedStateError) -> SavedRecord {
        guard depth < maximumDepth else { throw .damaged }
        var record = SavedRecord(kind: try text(), version: try integer(UInt32.self))
        for _ in 0..<(try integer(UInt32.self)) {
            let name = try text()
            guard record.fields[name] == nil else { throw .damaged }
            record.set(name, try value(depth: depth + 1))
        }
        return record
    }

    mutating func value(depth: Int) throws(SavedStateError) -> SavedValue {
        guard depth < maximumDepth, valuesLeft > 0 else { throw .damaged }
        valuesLeft -= 1
        switch try integer(UInt8.self) {
        case 0: return .boolean(try integer(UInt8.self) != 0)
        case 1: return .unsigned(try integer(UInt64.self))
        case 2: return .signed(try integer(Int64.self))
        case 3: return .text(try text())
        case 4: return .bytes(try bytes())
        case 5:
            // Every element takes at least a byte, so the input's size limits the count.
            let count = Int(try integer(UInt32.self))
            guard count <= input.count else { throw .truncated }
            var values: [SavedValue] = []
            for _ in 0..<count { values.append(try value(depth: depth + 1)) }
            return .list(values)
        case 6: return .record(try record(depth: depth + 1))
        default: throw .damaged
        }
    }
}

/// Writes fields of saved code one after the other, little endian.
struct CodeFieldWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ value: Bool) { put(value ? 1 : 0 as UInt8) }

    mutating func put(_ other: [UInt8]) { bytes += other }

    /// The number of some elements, which the caller writes next.
    mutating func putCount(_ count: Int) { put(UInt32(count)) }
}

/// Saved code that is not as it was written.
struct DamagedCode: Error {}

/// Reads fields of saved code.
struct CodeFieldReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    /// - Parameter bytes: are there for as long as the reader is used.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count - position }

    mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) throws(DamagedCode)
        -> Integer
    {
        guard remaining >= MemoryLayout<Integer>.size else { throw DamagedCode() }
        defer { position += MemoryLayout<Integer>.size }
        return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Integer.self))
    }

    /// An unsigned number of 32 bits that is less than `limit`.
    mutating func number(below limit: Int) throws(DamagedCode) -> Int {
        let value = Int(try integer(UInt32.self))
        guard value < limit else { throw DamagedCode() }
        return value
    }

    mutating func boolean() throws(DamagedCode) -> Bool { try integer(UInt8.self) != 0 }

    /// The number of elements that follow, each of which has one byte at least.
    mutating func count() throws(DamagedCode) -> Int { try number(below: remaining + 1) }

    /// The next bytes, as a part of the reader's own.
    mutating func bytes(_ count: Int) throws(DamagedCode) -> UnsafeRawBufferPointer {
        guard 0...remaining ~= count else { throw DamagedCode() }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }
}

/// Reads the arguments of a request, which the guest controls, from first to last.
struct ArgumentReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }
    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func integer<Integer: FixedWidthInteger>(
        _ type: Integer.Type = Integer.self
    ) throws(FileError) -> Integer {
        let size = MemoryLayout<Integer>.size
        guard rest.count >= size else { throw .malformed }
        var value: Integer = 0
        for (position, byte) in rest.prefix(size).enumerated() {
            value |= Integer(truncatingIfNeeded: byte) << Integer(8 * position)
        }
        rest = rest.dropFirst(size)
        return value
    }

    mutating func skip(_ count: Int) throws(FileError) {
        guard rest.count >= count else { throw .malformed }
        rest = rest.dropFirst(count)
    }

    /// An offset or a length that the host's calls take.
    mutating func offset() throws(FileError) -> Int64 {
        guard let value = Int64(exactly: try integer(UInt64.self)) else { throw .malformed }
        return value
    }

    /// The bytes up to the next NUL, which has to be there.
    mutating func text() throws(FileError) -> [CChar] {
        guard let end = rest.firstIndex(of: 0) else { throw .malformed }
        let result = rest[...end].map { CChar(bitPattern: $0) }
        rest = rest[(end + 1)...]
        return result
    }

    /// A name of one component.
    mutating func name() throws(FileError) -> FileName { try FileName(try text()) }

    /// Exactly `count` bytes.
    mutating func data(_ count: Int) throws(FileError) -> [UInt8] {
        guard count >= 0, count <= rest.count else { throw .malformed }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
}

/// What extended headers say about the next member: pax records (POSIX.1-2001) and GNU's long names.
struct TarExtended {
    var path: [UInt8]?
    var linkTarget: [UInt8]?
    var size: UInt64?
    var modified: Int64?
    var owner: UInt32?
    var group: UInt32?
    /// GNU's sparse format 1.0: the map is in front of the data.
    var isSparse = false
    var realSize: UInt64?
    private var sparseMajor: UInt64?

    static let largest: UInt64 = 65_536

    /// Takes a header's records, each `LENGTH KEY=VALUE` and a line feed; the length counts itself.
    mutating func take(records bytes: [UInt8]) throws(TarFault) {
        var position = 0
        while position < bytes.count {
            // Zeros fill the block in some archives.
            if bytes[position] == 0 { break }
            guard let space = bytes[position...].firstIndex(of: 0x20),
                let length = Self.number(bytes[position..<space]), length <= UInt64(bytes.count - position)
            else { throw TarFault.extendedHeader }
            let end = position + Int(length)
            guard space + 1 < end, bytes[end - 1] == 0x0a,
                let equals = bytes[(space + 1)..<end].firstIndex(of: UInt8(ascii: "="))
            else { throw TarFault.extendedHeader }
            try take(key: bytes[(space + 1)..<equals], value: bytes[(equals + 1)..<(end - 1)])
            position = end
        }
    }

    private mutating func take(key: ArraySlice<UInt8>, value: ArraySlice<UInt8>) throws(TarFault) {
        if Self.equal(key, "path") {
            path = try Self.text(value)
        } else if Self.equal(key, "linkpath") {
            linkTarget = try Self.text(value)
        } else if Self.equal(key, "size") {
            size = try Self.required(value)
        } else if Self.equal(key, "uid") {
            owner = try Self.identifier(value)
        } else if Self.equal(key, "gid") {
            group = try Self.identifier(value)
        } else if Self.equal(key, "mtime") {
            modified = try Self.time(value)
        } else if Self.equal(key, "GNU.sparse.major") {
            sparseMajor = try Self.required(value)
            // Formats 0.0 and 0.1 name no major version, or zero.
            guard sparseMajor == 1 else { throw TarFault.sparseVersion }
            isSparse = true
        } else if Self.equal(key, "GNU.sparse.map") || Self.equal(key, "GNU.sparse.numblocks") {
            throw TarFault.sparseVersion
        } else if Self.equal(key, "GNU.sparse.name") {
            path = try Self.text(value)
        } else if Self.equal(key, "GNU.sparse.realsize") {
            realSize = try Self.required(value)
        }
    }

    private static func equal(_ bytes: ArraySlice<UInt8>, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        for (index, byte) in bytes.enumerated() where byte != text.utf8Start[index] { return false }
        return true
    }

    private static func text(_ value: ArraySlice<UInt8>) throws(TarFault) -> [UInt8] {
        guard !value.isEmpty, !value.contains(0) else { throw TarFault.path }
        return Array(value)
    }

    private static func required(_ value: ArraySlice<UInt8>) throws(TarFault) -> UInt64 {
        guard let number = number(value) else { throw TarFault.number }
        return number
    }

    private static func identifier(_ value: ArraySlice<UInt8>) throws(TarFault) -> UInt32 {
        let number = try required(value)
        guard number <= UInt64(UInt32.max) else { throw TarFault.number }
        return UInt32(number)
    }

    /// Decimal digits of a number below 2^63, or nil.
    static func number(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        guard !bytes.isEmpty, bytes.count <= 19 else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
            value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        return value <= UInt64(Int64.max) ? value : nil
    }

    /// `[-]SECONDS[.FRACTION]` in nanoseconds, at the end of their range where it lies beyond.
    private static func time(_ value: ArraySlice<UInt8>) throws(TarFault) -> Int64 {
        let isNegative = value.first == UInt8(ascii: "-")
        let digits = isNegative ? value.dropFirst() : value
        let point = digits.firstIndex(of: UInt8(ascii: ".")) ?? digits.endIndex
        let seconds = try required(digits[..<point])
        var nanoseconds: UInt64 = 0
        var unit: UInt64 = 100_000_000
        for byte in digits[point...].dropFirst() {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { throw TarFault.number }
            nanoseconds += UInt64(byte - UInt8(ascii: "0")) * unit
            unit /= 10
        }
        guard seconds < 9_223_372_036 else { return isNegative ? Int64.min : Int64.max }
        let whole = Int64(seconds * 1_000_000_000 + nanoseconds)
        return isNegative ? -whole : whole
    }
}

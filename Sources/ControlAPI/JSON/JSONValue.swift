/// A value of a JSON text (RFC 8259), read and written strictly. Without Foundation, which the process of a machine does without.
package indirect enum JSONValue: Equatable, Sendable {
    case null, boolean(Bool), string(String), array([JSONValue]), object([String: JSONValue])
    /// As it is written: whoever wants a number says which kind.
    case number(String)

    /// What is wrong with a text, and where.
    package struct Mistake: Error, Equatable, CustomStringConvertible {
        let what: String
        let line: Int

        package var description: String { "\(what) in line \(line)" }
    }

    /// Reads a whole text.
    package init(parsing text: [UInt8]) throws(Mistake) {
        var reader = JSONReader(text)
        self = try reader.text()
    }
}

/// Goes over a JSON text once. Nesting is bounded, as it is recursion here.
private struct JSONReader {
    private static let deepest = 16

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func text() throws(JSONValue.Mistake) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw mistake("something follows the value") }
        return value
    }

    private func mistake(_ what: String) -> JSONValue.Mistake {
        JSONValue.Mistake(what: what, line: 1 + bytes[..<position].count { $0 == UInt8(ascii: "\n") })
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONValue.Mistake) -> JSONValue {
        skipSpace()
        guard depth < Self.deepest else { throw mistake("values are nested too deep") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte): return .number(try number())
        default: break
        }
        for (word, value) in [("true", JSONValue.boolean(true)), ("false", .boolean(false)), ("null", .null)]
        where bytes[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        throw mistake(next == nil ? "the text ends too early" : "an unexpected character stands")
    }

    private mutating func object(_ depth: Int) throws(JSONValue.Mistake) -> JSONValue {
        var pairs: [String: JSONValue] = [:]
        position += 1
        skipSpace()
        if take("}") { return .object(pairs) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw mistake("a key in quotation marks is missing") }
            let key = try string()
            skipSpace()
            guard take(":") else { throw mistake("a colon is missing") }
            guard pairs.updateValue(try value(depth: depth + 1), forKey: key) == nil else {
                throw mistake("key '\(key)' stands for the second time")
            }
            skipSpace()
        } while take(",")
        guard take("}") else { throw mistake("a comma or the end of an object is missing") }
        return .object(pairs)
    }

    private mutating func array(_ depth: Int) throws(JSONValue.Mistake) -> JSONValue {
        var values: [JSONValue] = []
        position += 1
        skipSpace()
        if take("]") { return .array(values) }
        repeat {
            values.append(try value(depth: depth + 1))
            skipSpace()
        } while take(",")
        guard take("]") else { throw mistake("a comma or the end of an array is missing") }
        return .array(values)
    }

    /// Section 6: no leading zeroes, digits on both sides of a point.
    private mutating func number() throws(JSONValue.Mistake) -> String {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONValue.Mistake) {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw mistake("a number lacks digits") }
    }

    /// Section 7.
    private mutating func string() throws(JSONValue.Mistake) -> String {
        var result: [UInt8] = []
        position += 1
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: result, as: UTF8.self) else { throw mistake("text is not UTF-8") }
                return text
            case UInt8(ascii: "\\"): try escape(into: &result)
            case 0..<0x20: throw mistake("a control character stands in a string")
            default: result.append(byte)
            }
        }
        throw mistake("a string does not end")
    }

    private mutating func escape(into result: inout [UInt8]) throws(JSONValue.Mistake) {
        guard let letter = next else { throw mistake("a string does not end") }
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(letter)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"): result.append(contentsOf: Array(String(try scalar()).utf8))
        default: throw mistake("an unknown escape stands in a string")
        }
    }

    /// After `\u`: one code unit of UTF-16, or two that belong together.
    private mutating func scalar() throws(JSONValue.Mistake) -> Unicode.Scalar {
        let first = try codeUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        if (0xD800..<0xDC00).contains(first), take("\\"), take("u") {
            let second = try codeUnit()
            if (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            {
                return scalar
            }
        }
        throw mistake("half a character stands in a string")
    }

    private mutating func codeUnit() throws(JSONValue.Mistake) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = next.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
                throw mistake("an escape lacks hexadecimal digits")
            }
            position += 1
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

extension JSONValue {
    /// The value as text on one line, with the keys of objects in the order of their bytes, so that equal values have equal text.
    package var text: [UInt8] {
        var writer = JSONWriter()
        writer.write(self)
        return writer.bytes
    }
}

private struct JSONWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: add("null")
        case .boolean(let flag): add(flag ? "true" : "false")
        case .number(let digits): add(digits)
        case .string(let text): write(text)
        case .array(let values):
            add("[")
            for (index, value) in values.enumerated() {
                if index > 0 { add(",") }
                write(value)
            }
            add("]")
        case .object(let pairs):
            add("{")
            for (index, pair) in pairs.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { add(",") }
                write(pair.key)
                add(":")
                write(pair.value)
            }
            add("}")
        }
    }

    private mutating func add(_ text: StaticString) {
        text.withUTF8Buffer { bytes += $0 }
    }

    private mutating func add(_ text: String) { bytes += text.utf8 }

    /// RFC 8259, section 7: quotation marks, backslashes and control characters are escaped.
    private mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: add("\\n")
            case 0x0D: add("\\r")
            case 0x09: add("\\t")
            case 0..<0x20, 0x7F:
                add("\\u00")
                bytes += [Self.hexadecimal(byte >> 4), Self.hexadecimal(byte & 15)]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}

extension JSONValue {
    /// The value of a key; nil when this is no object, or has no such key.
    package subscript(_ key: String) -> JSONValue? {
        if case .object(let pairs) = self { pairs[key] } else { nil }
    }

    /// Nil when this is no text.
    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// Nil when this is no whole number of 64 bits.
    package var integer: Int? {
        if case .number(let text) = self { Int(text) } else { nil }
    }

    package init(_ number: some BinaryInteger) { self = .number("\(number)") }
}

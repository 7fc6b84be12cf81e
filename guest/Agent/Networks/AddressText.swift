/// Internet addresses as text and as bytes.
enum AddressText {
    static func v4(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ".")) }
            text.add(number: UInt64(byte))
        }
        return text
    }

    /// The form of RFC 5952: lowercase, and `::` for the longest run of at least two zero groups, the first of equals.
    static func v6(_ bytes: [UInt8]) -> [UInt8] {
        let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
        let run = longestZeros(groups)
        var text: [UInt8] = []
        var index = 0
        while index < 8 {
            if let run, index == run.lowerBound {
                text.add("::")
                index = run.upperBound
                continue
            }
            if index > 0, text.last != UInt8(ascii: ":") { text.append(UInt8(ascii: ":")) }
            addHex(groups[index], to: &text)
            index += 1
        }
        return text
    }

    private static func longestZeros(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start = 0
        for index in 0...8 where index == 8 || groups[index] != 0 {
            if index - start >= 2, index - start > best?.count ?? 0 { best = start..<index }
            start = index + 1
        }
        return best
    }

    private static func addHex(_ group: UInt16, to text: inout [UInt8]) {
        let digits: StaticString = "0123456789abcdef"
        var isLeading = true
        for shift: UInt16 in [12, 8, 4, 0] {
            let digit = Int(group >> shift & 0xf)
            if digit == 0, isLeading, shift > 0 { continue }
            isLeading = false
            text.append(digits.utf8Start[digit])
        }
    }

    /// The six bytes of a MAC address, or nil.
    static func parseHardware(_ text: [UInt8]) -> [UInt8]? {
        let parts = text.parts(separatedBy: UInt8(ascii: ":"))
        guard parts.count == 6 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.count == 2, let high = Hex.digit(part[0]), let low = Hex.digit(part[1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// The four bytes of a dotted IPv4 address, or nil.
    static func parseV4(_ text: [UInt8]) -> [UInt8]? {
        let parts = text.parts(separatedBy: UInt8(ascii: "."))
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.count <= 3, let number = part.number, number <= 255 else { return nil }
            bytes.append(UInt8(number))
        }
        return bytes
    }

    /// The 16 bytes of an IPv6 address without a zone, or nil.
    static func parseV6(_ text: [UInt8]) -> [UInt8]? {
        var head: [UInt8] = []
        var tail: [UInt8]?
        let parts = text.parts(separatedBy: UInt8(ascii: ":"))
        guard parts.count >= 3, parts.count <= 9 else { return nil }
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                // "::" inside; or one of the two empty parts at an end.
                if index == 0 {
                    guard parts[1].isEmpty else { return nil }
                } else if index == parts.count - 1 {
                    guard parts[index - 1].isEmpty else { return nil }
                } else {
                    guard tail == nil else { return nil }
                    tail = []
                }
                continue
            }
            guard let bytes = groupBytes(part, isLast: index == parts.count - 1) else { return nil }
            if tail == nil { head += bytes } else { tail? += bytes }
        }
        guard let tail else { return head.count == 16 ? head : nil }
        guard head.count + tail.count <= 14 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func groupBytes(_ part: [UInt8], isLast: Bool) -> [UInt8]? {
        if isLast, part.contains(UInt8(ascii: ".")) { return parseV4(part) }
        guard part.count <= 4 else { return nil }
        var value: UInt16 = 0
        for byte in part {
            guard let digit = Hex.digit(byte) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return [UInt8(value >> 8), UInt8(value & 0xff)]
    }
}

/// Hexadecimal digits.
enum Hex {
    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

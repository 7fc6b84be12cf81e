/// The guest's agent as programs for guests: static ELF files of less than 200 KB.
package enum GuestAgentPrograms {
    /// An instruction set that the agent is built for.
    package enum Architecture: CaseIterable, Sendable {
        case riscv64
        case x86_64
    }

    /// The program's file.
    package static func program(_ architecture: Architecture) -> [UInt8] {
        switch architecture {
        case .riscv64: decoded(riscv64)
        case .x86_64: decoded(x86_64)
        }
    }

    /// Decodes base64 without line ends, which the build wrote. (A literal of an array of this size compiles for minutes.)
    static func decoded(_ text: StaticString) -> [UInt8] {
        let digits = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 4 * 3)
        var group: UInt32 = 0
        var bits = 0
        for digit in digits {
            guard let value = value(of: digit) else { continue }
            group = group << 6 | value
            bits += 6
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
        }
        return bytes
    }

    /// The value of a digit (RFC 4648, table 1), or nil for padding.
    private static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

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

    /// Decodes base64 without line ends (RFC 4648, section 4), which the build wrote. (A literal of an array of this size compiles for minutes.)
    static func decoded(_ text: StaticString) -> [UInt8] {
        let digits = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount & ~3)
        let padding = digits.suffix(2).count { $0 == UInt8(ascii: "=") }
        return values.withUnsafeBufferPointer { values in
            [UInt8](unsafeUninitializedCapacity: digits.count / 4 * 3) { bytes, count in
                for start in stride(from: 0, to: digits.count, by: 4) {
                    var group: UInt32 = 0
                    for digit in start..<start + 4 { group = group << 6 | values[Int(digits[digit])] }
                    bytes.initializeElement(at: count, to: UInt8(truncatingIfNeeded: group >> 16))
                    bytes.initializeElement(at: count + 1, to: UInt8(truncatingIfNeeded: group >> 8))
                    bytes.initializeElement(at: count + 2, to: UInt8(truncatingIfNeeded: group))
                    count += 3
                }
                count -= padding
            }
        }
    }

    /// The values of digits (RFC 4648, table 1), by their characters; 0 for others.
    private static let values: [UInt32] = {
        var values = [UInt32](repeating: 0, count: 256)
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, digit) in digits.utf8.enumerated() { values[Int(digit)] = UInt32(value) }
        return values
    }()
}

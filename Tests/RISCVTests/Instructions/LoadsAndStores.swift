/// RV64I: loads and stores of every width, at every alignment (Unprivileged ISA 2.6 and 4.3).
enum LoadsAndStores {
    static let cases: [InstructionCase] = loads + offsets + stores + storeOffsets

    /// Bytes at s0: each load must tell sign from zero extension and one byte order from the other.
    private static let bytes: [UInt8] = [
        0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08,
    ]

    private static func value(_ size: Int, signed: Bool, at offset: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in (0..<size).reversed() { value = value << 8 | UInt64(bytes[offset + index]) }
        let shift = UInt64(64 - 8 * size)
        return signed ? UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift)) : value
    }

    private static let widths: [(String, Int, Bool)] = [
        ("lb", 1, true), ("lbu", 1, false), ("lh", 2, true), ("lhu", 2, false), ("lw", 4, true), ("lwu", 4, false),
        ("ld", 8, true),
    ]

    private static let loads: [InstructionCase] = widths.flatMap { mnemonic, size, signed in
        (0...8).map { offset in
            var one = InstructionCase("\(mnemonic) a0, \(offset)(s0)")
            one.memory = bytes
            one.expectedX = [Register.a0: .constant(value(size, signed: signed, at: offset))]
            return one
        }
    }

    private static let offsets: [InstructionCase] = {
        func one(_ text: String, base: Int64, _ after: [Int: InstructionCase.Value]) -> InstructionCase {
            var one = InstructionCase(text)
            one.memory = bytes
            one.x = [Register.a1: .scratch(base)]
            one.expectedX = after
            return one
        }
        let word = InstructionCase.Value.constant(value(8, signed: true, at: 0))
        return [
            one("ld a0, 2047(a1)", base: -2047, [Register.a0: word]),
            one("ld a0, -2048(a1)", base: 2048, [Register.a0: word]),
            one("ld a0, -1(a1)", base: 1, [Register.a0: word]),
            one("ld a1, 0(a1)", base: 0, [Register.a1: word]),
            one("ld x0, 0(a1)", base: 0, [:]),
            one("lb a0, 2047(a1)", base: -2047, [Register.a0: .constant(0xffff_ffff_ffff_ff81)]),
        ]
    }()

    private static let stores: [InstructionCase] = [("sb", 1), ("sh", 2), ("sw", 4), ("sd", 8)].flatMap {
        (mnemonic: String, size: Int) in
        (0...8).map { offset in
            var one = InstructionCase("\(mnemonic) a1, \(offset)(s0)")
            one.memory = bytes
            one.x = [Register.a1: .constant(0x8899_aabb_ccdd_eeff)]
            var after = bytes
            for index in 0..<size { after[offset + index] = [0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88][index] }
            one.expectedMemory = after
            return one
        }
    }

    private static let storeOffsets: [InstructionCase] = {
        func one(_ text: String, base: Int64, _ after: [UInt8]) -> InstructionCase {
            var one = InstructionCase(text)
            one.x = [Register.a1: .scratch(base), Register.a2: .constant(0x0102_0304_0506_0708)]
            one.expectedMemory = after
            return one
        }
        return [
            one("sd a2, 2047(a1)", base: -2047, [8, 7, 6, 5, 4, 3, 2, 1]),
            one("sd a2, -2048(a1)", base: 2048, [8, 7, 6, 5, 4, 3, 2, 1]),
            one("sw a2, -2048(a1)", base: 2048, [8, 7, 6, 5]),
            one("sh a2, 2047(a1)", base: -2047, [8, 7]),
            one("sb a2, -1(a1)", base: 1, [8]),
            one("sd x0, 0(a1)", base: 0, [0, 0, 0, 0, 0, 0, 0, 0]),
        ]
    }()
}

// Zba, Zbb, Zbs (Unprivileged Architecture 28) and Zicond (chapter 12).

let addressGenerationInstructions: [Instruction] = [
    Instruction("add.uw", .register, 0x0800_003B, 0xFE00707F) { registers($0, $1) { ($0 & 0xFFFF_FFFF) &+ $1 } },
    Instruction("sh1add", .register, 0x2000_2033, 0xFE00707F) { registers($0, $1) { $0 << 1 &+ $1 } },
    Instruction("sh2add", .register, 0x2000_4033, 0xFE00707F) { registers($0, $1) { $0 << 2 &+ $1 } },
    Instruction("sh3add", .register, 0x2000_6033, 0xFE00707F) { registers($0, $1) { $0 << 3 &+ $1 } },
    Instruction("sh1add.uw", .register, 0x2000_203B, 0xFE00707F) {
        registers($0, $1) { ($0 & 0xFFFF_FFFF) << 1 &+ $1 }
    },
    Instruction("sh2add.uw", .register, 0x2000_403B, 0xFE00707F) {
        registers($0, $1) { ($0 & 0xFFFF_FFFF) << 2 &+ $1 }
    },
    Instruction("sh3add.uw", .register, 0x2000_603B, 0xFE00707F) {
        registers($0, $1) { ($0 & 0xFFFF_FFFF) << 3 &+ $1 }
    },
    Instruction("slli.uw", .shift, 0x0800_101B, 0xFC00707F) { immediate($0, $1) { ($0 & 0xFFFF_FFFF) << ($1 & 63) } },
]

let basicBitManipulationInstructions: [Instruction] = [
    Instruction("andn", .register, 0x4000_7033, 0xFE00707F) { registers($0, $1) { $0 & ~$1 } },
    Instruction("orn", .register, 0x4000_6033, 0xFE00707F) { registers($0, $1) { $0 | ~$1 } },
    Instruction("xnor", .register, 0x4000_4033, 0xFE00707F) { registers($0, $1) { ~($0 ^ $1) } },
    Instruction("clz", .unary, 0x6000_1013, 0xFFF0707F) { registers($0, $1) { a, _ in UInt64(a.leadingZeroBitCount) } },
    Instruction("ctz", .unary, 0x6010_1013, 0xFFF0707F) {
        registers($0, $1) { a, _ in UInt64(a.trailingZeroBitCount) }
    },
    Instruction("cpop", .unary, 0x6020_1013, 0xFFF0707F) { registers($0, $1) { a, _ in UInt64(a.nonzeroBitCount) } },
    Instruction("clzw", .unary, 0x6000_101B, 0xFFF0707F) { words($0, $1) { a, _ in UInt32(a.leadingZeroBitCount) } },
    Instruction("ctzw", .unary, 0x6010_101B, 0xFFF0707F) { words($0, $1) { a, _ in UInt32(a.trailingZeroBitCount) } },
    Instruction("cpopw", .unary, 0x6020_101B, 0xFFF0707F) { words($0, $1) { a, _ in UInt32(a.nonzeroBitCount) } },
    Instruction("max", .register, 0x0A00_6033, 0xFE00707F) { registers($0, $1) { $0.signed < $1.signed ? $1 : $0 } },
    Instruction("maxu", .register, 0x0A00_7033, 0xFE00707F) { registers($0, $1) { $0 < $1 ? $1 : $0 } },
    Instruction("min", .register, 0x0A00_4033, 0xFE00707F) { registers($0, $1) { $0.signed < $1.signed ? $0 : $1 } },
    Instruction("minu", .register, 0x0A00_5033, 0xFE00707F) { registers($0, $1) { $0 < $1 ? $0 : $1 } },
    Instruction("sext.b", .unary, 0x6040_1013, 0xFFF0707F) {
        registers($0, $1) { a, _ in UInt64(bitPattern: Int64(Int8(truncatingIfNeeded: a))) }
    },
    Instruction("sext.h", .unary, 0x6050_1013, 0xFFF0707F) {
        registers($0, $1) { a, _ in UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: a))) }
    },
    Instruction("zext.h", .unary, 0x0800_403B, 0xFFF0707F) { registers($0, $1) { a, _ in a & 0xFFFF } },
    Instruction("rol", .register, 0x6000_1033, 0xFE00707F) { registers($0, $1) { rotateLeft($0, $1) } },
    Instruction("ror", .register, 0x6000_5033, 0xFE00707F) { registers($0, $1) { rotateLeft($0, 0 &- $1) } },
    Instruction("rori", .shift, 0x6000_5013, 0xFC00707F) { immediate($0, $1) { rotateLeft($0, 0 &- $1) } },
    Instruction("rolw", .register, 0x6000_103B, 0xFE00707F) { words($0, $1) { rotateLeft($0, $1) } },
    Instruction("rorw", .register, 0x6000_503B, 0xFE00707F) { words($0, $1) { rotateLeft($0, 0 &- $1) } },
    Instruction("roriw", .shiftWord, 0x6000_501B, 0xFE00707F) { wordImmediate($0, $1) { rotateLeft($0, 0 &- $1) } },
    Instruction("orc.b", .unary, 0x2870_5013, 0xFFF0707F) {
        registers($0, $1) { a, _ in
            // The lowest bit of each byte that has any bit set, then times 255.
            var any = a | a >> 4
            any |= any >> 2
            any |= any >> 1
            return (any & 0x0101_0101_0101_0101) &* 0xFF
        }
    },
    Instruction("rev8", .unary, 0x6B80_5013, 0xFFF0707F) { registers($0, $1) { a, _ in a.byteSwapped } },
]

let singleBitInstructions: [Instruction] = [
    Instruction("bclr", .register, 0x4800_1033, 0xFE00707F) { registers($0, $1) { $0 & ~(1 << ($1 & 63)) } },
    Instruction("bclri", .shift, 0x4800_1013, 0xFC00707F) { immediate($0, $1) { $0 & ~(1 << ($1 & 63)) } },
    Instruction("bext", .register, 0x4800_5033, 0xFE00707F) { registers($0, $1) { $0 >> ($1 & 63) & 1 } },
    Instruction("bexti", .shift, 0x4800_5013, 0xFC00707F) { immediate($0, $1) { $0 >> ($1 & 63) & 1 } },
    Instruction("binv", .register, 0x6800_1033, 0xFE00707F) { registers($0, $1) { $0 ^ 1 << ($1 & 63) } },
    Instruction("binvi", .shift, 0x6800_1013, 0xFC00707F) { immediate($0, $1) { $0 ^ 1 << ($1 & 63) } },
    Instruction("bset", .register, 0x2800_1033, 0xFE00707F) { registers($0, $1) { $0 | 1 << ($1 & 63) } },
    Instruction("bseti", .shift, 0x2800_1013, 0xFC00707F) { immediate($0, $1) { $0 | 1 << ($1 & 63) } },
]

let conditionalInstructions: [Instruction] = [
    Instruction("czero.eqz", .register, 0x0E00_5033, 0xFE00707F) { registers($0, $1) { $1 == 0 ? 0 : $0 } },
    Instruction("czero.nez", .register, 0x0E00_7033, 0xFE00707F) { registers($0, $1) { $1 != 0 ? 0 : $0 } },
]

/// Rotates by `count` modulo the width.
@inline(__always)
private func rotateLeft<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value, _ count: Value) -> Value {
    let mask = Value(Value.bitWidth - 1)
    return value &<< (count & mask) | value &>> ((0 &- count) & mask)
}

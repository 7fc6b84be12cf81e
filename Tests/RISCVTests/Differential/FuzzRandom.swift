import TestSupport

/// The choices of a fuzzer, the same for a seed on every machine.
struct FuzzRandom: RandomNumberGenerator {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func next() -> UInt64 { generator.next() }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func word(below bound: UInt32) -> UInt32 { UInt32(next() % UInt64(bound)) }

    /// True once in `count` times.
    mutating func once(in count: Int) -> Bool { below(count) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    private static let corners: [UInt64] = [
        0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000,
        0xffff_ffff_7fff_ffff, 0xffff_ffff_8000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, .max, .max - 1,
        0x0101_0101_0101_0101, 0x5555_5555_5555_5555, 0xff00_ff00_ff00_ff00,
    ]

    /// A value for an integer register: corners, values near them, few bits, or anything.
    mutating func integer() -> UInt64 {
        switch below(5) {
        case 0: return pick(Self.corners)
        case 1: return pick(Self.corners) &+ UInt64(below(5)) &- 2
        case 2: return 1 << UInt64(below(64))
        case 3: return next() >> UInt64(below(64))
        default: return next()
        }
    }

    private static let singles: [UInt32] = [
        0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7f80_0001, 0xffc1_2345,
        0xff81_2345, 1, 0x8000_0001, 0x007f_ffff, 0x0080_0000, 0x8080_0000, 0x7f7f_ffff, 0xff7f_ffff, 0x3f7f_ffff,
        0x3f80_0001, 0x4f00_0000, 0xcf00_0000, 0x4eff_ffff, 0x5f00_0000, 0xdf00_0000, 0x4f80_0000, 0x5f80_0000,
        0x3f00_0000, 0x3fc0_0000, 0x4b00_0000, 0x4b7f_ffff, 0x3380_0000, 0x3400_0000,
        // The bounds of half precision: 65520, 65519.996, the least normal and half of the least number.
        0x477f_f000, 0x477f_efff, 0x3880_0000, 0x387f_f000, 0x3300_0000, 0x3300_0001,
    ]

    private static let doubles: [UInt64] = [
        0, 1 << 63, 0x3ff0_0000_0000_0000, 0xbff0_0000_0000_0000, 0x7ff0_0000_0000_0000, 0xfff0_0000_0000_0000,
        0x7ff8_0000_0000_0000, 0x7ff0_0000_0000_0001, 0xfff8_1234_5678_9abc, 0xfff0_1234_5678_9abc, 1,
        0x8000_0000_0000_0001, 0x000f_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x7fef_ffff_ffff_ffff,
        0xffef_ffff_ffff_ffff, 0x3fef_ffff_ffff_ffff, 0x3ff0_0000_0000_0001, 0x41df_ffff_ffc0_0000,
        0x41e0_0000_0000_0000, 0xc1e0_0000_0000_0000, 0x41ef_ffff_ffe0_0000, 0x43e0_0000_0000_0000,
        0xc3e0_0000_0000_0000, 0x43f0_0000_0000_0000, 0x3fe0_0000_0000_0000, 0x3ff8_0000_0000_0000,
        0x47ef_ffff_e000_0000, 0x47ef_ffff_f000_0000, 0x3810_0000_0000_0000, 0x36a0_0000_0000_0000,
        0x3690_0000_0000_0000, 0x3ca0_0000_0000_0000, 0x3cb0_0000_0000_0000,
        0x40ef_fe00_0000_0000, 0x40ef_fdff_ffff_ffff, 0x3f10_0000_0000_0000, 0x3f0f_fe00_0000_0000,
        0x3e60_0000_0000_0000,
    ]

    private static let halves: [UInt16] = [
        0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xfe12, 0xfc12, 1, 0x8001, 0x03ff, 0x0400, 0x8400,
        0x7bff, 0xfbff, 0x3bff, 0x3c01,
    ]

    /// A value for a floating-point register: boxed halves and singles, doubles, and narrower ones that are not boxed.
    mutating func floating() -> UInt64 {
        switch below(9) {
        case 8: return (once(in: 8) ? 0xffff_fffe_ffff_0000 : 0xffff_ffff_ffff_0000) | UInt64(nearby(pick(Self.halves)))
        case 0, 1, 2: return 0xffff_ffff_0000_0000 | UInt64(nearby(pick(Self.singles)))
        case 3, 4, 5: return nearby(pick(Self.doubles))
        case 6: return once(in: 2) ? UInt64(pick(Self.singles)) : 0xffff_ffff_0000_0000 | next() >> 32
        default: return next()
        }
    }

    private mutating func nearby<Bits: FixedWidthInteger>(_ bits: Bits) -> Bits {
        once(in: 3) ? bits &+ Bits(truncatingIfNeeded: below(7)) &- 3 : bits
    }
}

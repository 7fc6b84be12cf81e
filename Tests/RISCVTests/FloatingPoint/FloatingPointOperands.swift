import RISCV

/// A seeded source of operands, most of them near what arithmetic treats specially.
struct FloatingPointOperands<Format: BinaryFormat> {
    private var state: UInt64
    /// The operands drawn before, the last one first.
    private var history: (Format.Bits, Format.Bits) = (0, 0)

    init(seed: UInt64) {
        state = seed
    }

    /// SplitMix64.
    mutating func random() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func random(below bound: Int) -> Int { Int(random() % UInt64(bound)) }

    mutating func rounding() -> RoundingMode { RoundingMode(rawValue: UInt8(random(below: 5)))! }

    mutating func next() -> Format.Bits {
        let operand = candidate()
        history = (operand, history.0)
        return operand
    }

    private mutating func candidate() -> Format.Bits {
        let bias = Format.bias
        let precision = Format.precision
        let last = Format.exponentField(history.0)
        switch random(below: 12) {
        case 0: return special()
        case 1: return Format.Bits(truncatingIfNeeded: random())
        case 2: return number(bias - 3 + random(below: 7))
        case 3: return number(bias - 2 * precision + random(below: 4 * precision))
        case 4: return number(0)
        case 5: return number(random(below: 4))
        case 6: return number(Format.maximumExponentField - random(below: 4))
        // Close to the last operand: ties, cancellation, overlap of every length.
        case 7: return history.0 &+ Format.Bits(random(below: 5)) &- 2
        case 8: return (history.0 ^ Format.signBit) &+ Format.Bits(random(below: 5)) &- 2
        case 9: return number(last - precision - 3 + random(below: 2 * precision + 6))
        // Products and quotients near the least normal number; addends near the product of the last two.
        case 10: return number(bias + 1 - last - precision + random(below: 2 * precision))
        default:
            let product = last + Format.exponentField(history.1) - bias
            return number(product - precision - 3 + random(below: 2 * precision + 6))
        }
    }

    /// A number with that exponent field, if there is one, and a fraction that is random or mostly zeros or ones.
    private mutating func number(_ field: Int) -> Format.Bits {
        let field = min(max(field, 0), Format.maximumExponentField)
        var fraction = Format.Bits(truncatingIfNeeded: random())
        switch random(below: 5) {
        case 0: fraction = 1 << Format.Bits(random(below: Format.precision))
        case 1: fraction = 0 &- (1 << Format.Bits(random(below: Format.precision)))
        case 2: fraction = (1 << Format.Bits(random(below: Format.precision))) &- 1
        case 3: fraction <<= Format.Bits(random(below: Format.precision))
        default: break
        }
        let sign = random() & 1 == 0 ? 0 : Format.signBit
        return sign | Format.Bits(field) << Format.fractionBits | fraction & Format.fractionMask
    }

    private mutating func special() -> Format.Bits {
        let one = Format.Bits(Format.bias) << Format.fractionBits
        let least = 1 << Format.fractionBits as Format.Bits
        let quiet = Format.canonicalNaN
        let signaling = Format.infinity | 1
        var values = [0, 0, 1, 2, least - 1, least, least + 1, one - 1, one, one + 1, one + least]
        values += [Format.infinity - 1, Format.infinity, quiet, quiet | 1, signaling, signaling | Format.quietBit >> 1]
        // The bounds of integers, and their neighbours.
        for bits in [31, 32, 63, 64] {
            let bound = one + least * Format.Bits(bits)
            values += [bound - 1, bound, bound + 1]
        }
        return values[random(below: values.count)] | (random() & 1 == 0 ? 0 : Format.signBit)
    }
}

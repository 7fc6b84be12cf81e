import TestSupport

/// A seeded source of operands in one format, most of them near what arithmetic treats specially.
struct FloatingPointOperands {
    /// Bits of the trailing significand field, and of the whole.
    let fractionBits: Int
    let width: Int
    private var generator: SeededGenerator
    /// The operands drawn before, the last one first.
    private var history: (UInt64, UInt64) = (0, 0)

    init(isDouble: Bool, seed: UInt64) {
        (fractionBits, width) = isDouble ? (52, 64) : (23, 32)
        generator = SeededGenerator(seed: seed)
    }

    private var maximumField: Int { 1 << (width - 1 - fractionBits) - 1 }
    private var bias: Int { maximumField / 2 }
    private var signBit: UInt64 { 1 << UInt64(width - 1) }

    private func field(_ bits: UInt64) -> Int { Int(bits >> UInt64(fractionBits)) & maximumField }

    mutating func random() -> UInt64 { generator.next() }

    mutating func random(below bound: Int) -> Int { Int(random() % UInt64(bound)) }

    mutating func next() -> UInt64 {
        let operand = candidate() & (.max >> UInt64(64 - width))
        history = (operand, history.0)
        return operand
    }

    private mutating func candidate() -> UInt64 {
        let precision = fractionBits + 1
        let last = field(history.0)
        switch random(below: 12) {
        case 0: return special()
        case 1: return random()
        case 2: return number(bias - 3 + random(below: 7))
        case 3: return number(bias - 2 * precision + random(below: 4 * precision))
        case 4: return number(0)
        case 5: return number(random(below: 4))
        case 6: return number(maximumField - random(below: 4))
        // Close to the last operand: ties, cancellation, overlap of every length.
        case 7: return history.0 &+ UInt64(random(below: 5)) &- 2
        case 8: return (history.0 ^ signBit) &+ UInt64(random(below: 5)) &- 2
        case 9: return number(last - precision - 3 + random(below: 2 * precision + 6))
        // Products and quotients near the least normal number; addends near the product of the last two.
        case 10: return number(bias + 1 - last - precision + random(below: 2 * precision))
        default:
            let product = last + field(history.1) - bias
            return number(product - precision - 3 + random(below: 2 * precision + 6))
        }
    }

    /// A number with that exponent field, if there is one, and a fraction that is random or mostly zeros or ones.
    mutating func number(_ field: Int) -> UInt64 {
        let field = UInt64(min(max(field, 0), maximumField))
        var fraction = random()
        let length = UInt64(random(below: fractionBits + 1))
        switch random(below: 5) {
        case 0: fraction = 1 << length
        case 1: fraction = 0 &- (1 << length)
        case 2: fraction = (1 << length) &- 1
        case 3: fraction <<= length
        default: break
        }
        let sign = random() & 1 == 0 ? 0 : signBit
        return sign | field << UInt64(fractionBits) | fraction & (1 << UInt64(fractionBits) - 1)
    }

    private mutating func special() -> UInt64 {
        let least: UInt64 = 1 << UInt64(fractionBits)
        let one = UInt64(bias) * least
        let infinity = UInt64(maximumField) * least
        let values: [UInt64] = [
            0, 0, 1, 2, least - 1, least, least + 1, one - 1, one, one + 1, one + least, infinity - 1, infinity,
            // Quiet NaNs, and signalling ones.
            infinity + least / 2, infinity + least / 2 + 1, infinity + 1, infinity + least / 4,
        ]
        let sign = random() & 1 == 0 ? 0 : signBit
        let choice = random(below: values.count + 12)
        if choice < values.count { return sign | values[choice] }
        // The bounds of integers, and their neighbours.
        let bound = one + least * [31, 32, 63, 64][(choice - values.count) % 4]
        return sign | (bound + UInt64(random(below: 3)) - 1)
    }
}

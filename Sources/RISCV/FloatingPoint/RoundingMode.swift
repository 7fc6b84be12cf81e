/// The rounding modes, encoded as in `frm` and in the rm field of instructions; 5 and 6 are reserved, and 7 in an
/// instruction means the mode of `frm`.
enum RoundingMode: UInt8, CaseIterable, Sendable {
    /// RNE: to nearest, ties to even.
    case nearestEven = 0
    /// RTZ: towards zero.
    case towardZero = 1
    /// RDN: towards minus infinity.
    case down = 2
    /// RUP: towards plus infinity.
    case up = 3
    /// RMM: to nearest, ties away from zero.
    case nearestAway = 4

    /// What to add to a magnitude before the bits below its last place are cut off; `half` and `mask` are the half and
    /// all of these bits. A tie under `nearestEven` then needs the last place made even.
    @inline(__always)
    func increment(isNegative: Bool, half: UInt64, mask: UInt64) -> UInt64 {
        switch self {
        case .nearestEven, .nearestAway: half
        case .towardZero: 0
        case .down: isNegative ? mask : 0
        case .up: isNegative ? 0 : mask
        }
    }
}

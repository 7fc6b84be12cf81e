/// The processor time that a limited machine may have, period by period: a pure function of the times that it is told.
///
/// Time that was not used is lost at the end of its period. Time that was used beyond the limit is a debt, which later periods pay, so that
/// the average holds however late somebody looks.
struct ProcessorBudget {
    /// What vCPUs shall do until the next look.
    struct Decision: Equatable {
        /// vCPUs stay outside of guest code.
        let isExhausted: Bool
        /// The time of the next look, in nanoseconds of the clock of `look`.
        let nextLook: UInt64
    }

    /// Nanoseconds.
    static let period: UInt64 = 100_000_000
    /// The least time between two looks in nanoseconds: shorter ones cost more than they correct.
    private static let leastStep: UInt64 = 1_000_000

    private static let mostPeriods: UInt64 = 1 << 20

    /// Nanoseconds of processor time in a period.
    private let allowance: UInt64
    /// The number of threads that may use the budget at the same time.
    private let threads: UInt64
    private var periodStart: UInt64
    /// The clock of processor time at the start of the period, less the debt of earlier periods.
    private var usedAtStart: Int64

    /// - Parameters:
    ///   - percent: of one processor, more than 0.
    ///   - threads: more than 0.
    ///   - now: nanoseconds of a steady clock.
    ///   - used: nanoseconds of processor time until now.
    init(percent: Int, threads: Int, now: UInt64, used: UInt64) {
        precondition(percent > 0 && threads > 0, "a budget is more than nothing")
        allowance = Self.period / 100 * UInt64(percent)
        self.threads = UInt64(threads)
        periodStart = now
        usedAtStart = Int64(used)
    }

    /// Decides for the time until the next look.
    mutating func look(now: UInt64, used: UInt64) -> Decision {
        let elapsed = (now - min(periodStart, now)) / Self.period
        if elapsed > 0 {
            periodStart += elapsed * Self.period
            // The debt is the part of the use beyond the allowance of the periods that have passed.
            // No debt is that old; without the bound, a clock that jumps would overflow.
            let paid = Int64(min(elapsed, Self.mostPeriods) * allowance)
            usedAtStart = min(usedAtStart + paid, Int64(used))
        }
        let spent = Int64(used) - usedAtStart
        let end = periodStart + Self.period
        guard spent < Int64(allowance) else { return Decision(isExhausted: true, nextLook: end) }
        let left = UInt64(Int64(allowance) - spent) / threads
        return Decision(isExhausted: false, nextLook: min(end, now + max(left, Self.leastStep)))
    }
}

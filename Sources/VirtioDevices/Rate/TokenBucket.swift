/// A token bucket as the time until which its tokens are spent: the costs of requests are times at the bucket's rate.
///
/// Tokens of up to `burst` nanoseconds can be saved up. A request passes when some are left, whatever it costs, and those after it
/// wait until its cost is paid for. So requests larger than the bucket pass, and the average holds.
struct TokenBucket {
    /// Nanoseconds.
    static let burst: UInt64 = 100_000_000
    private static let second: UInt64 = 1_000_000_000

    private let tokensPerSecond: UInt64
    private var spentUntil: UInt64 = 0

    /// - Parameter tokensPerSecond: more than 0.
    init(tokensPerSecond: UInt64) {
        precondition(tokensPerSecond > 0, "a rate is more than 0")
        self.tokensPerSecond = tokensPerSecond
    }

    /// The time from which on a request passes, in the nanoseconds of `spend`.
    var passesFrom: UInt64 { spentUntil > Self.burst ? spentUntil - Self.burst : 0 }

    /// Takes the tokens of a request that passes at a time.
    mutating func spend(_ tokens: UInt64, at now: UInt64) {
        let product = tokens.multipliedFullWidth(by: Self.second)
        // A request that takes longer than there is time never comes from memory that a guest can have.
        let cost = product.high < tokensPerSecond ? tokensPerSecond.dividingFullWidth(product).quotient : .max
        let (sum, overflow) = max(spentUntil, now).addingReportingOverflow(cost)
        spentUntil = overflow ? .max : sum
    }
}

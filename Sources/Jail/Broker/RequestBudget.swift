/// Counts requests in windows of time.
struct RequestBudget {
    let limit: Int
    /// Nanoseconds.
    let window: UInt64
    private var begin: UInt64 = 0
    private var count = 0

    init(limit: Int, window: UInt64) {
        self.limit = limit
        self.window = window
    }

    /// Takes one request; false when the window has none left.
    mutating func take(at time: UInt64) -> Bool {
        if count == 0 || time &- begin >= window { (begin, count) = (time, 0) }
        guard count < limit else { return false }
        count += 1
        return true
    }
}

/// Finds out whether a machine has been idle for long enough: a pure function of the times that it gets.
struct IdleWatch {
    /// A machine that uses more of one processor than this between two looks is busy. An idle Linux guest needs less for its timers.
    private static let busyPercent: UInt64 = 5

    /// Nanoseconds without work after which a machine is idle.
    private let idleTime: UInt64
    private var last: (now: UInt64, used: UInt64)
    private var idleSince: UInt64
    private var isReported = false

    /// - Parameters:
    ///   - idleTime: nanoseconds.
    ///   - now: nanoseconds of a steady clock.
    ///   - used: nanoseconds of processor time until now.
    init(idleTime: UInt64, now: UInt64, used: UInt64) {
        self.idleTime = idleTime
        last = (now, used)
        idleSince = now
    }

    /// Nanoseconds between two looks.
    var interval: UInt64 { idleTime / 4 }

    /// The time of the next look.
    var nextLook: UInt64 { last.now &+ interval }

    /// - Returns: true once for each time that the machine is idle.
    mutating func look(now: UInt64, used: UInt64) -> Bool {
        let (elapsed, work) = (now &- last.now, used &- min(last.used, used))
        last = (now, used)
        if work > elapsed / 100 * Self.busyPercent {
            idleSince = now
            isReported = false
            return false
        }
        guard !isReported, now &- idleSince >= idleTime else { return false }
        isReported = true
        return true
    }
}

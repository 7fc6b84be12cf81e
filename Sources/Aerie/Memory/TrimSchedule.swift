/// Decides when an idle machine gives up memory that only makes it fast: a pure function of the times that it gets.
///
/// A machine that works soon afterwards has to generate its code again, so the next trim waits longer; one that stays idle comes back to the
/// first wait.
struct TrimSchedule {
    /// A machine that uses more of one processor than this between two looks is busy. An idle Linux guest needs less for its timers.
    private static let busyPercent: UInt64 = 5
    private static let firstWait: UInt64 = 20_000_000_000
    private static let longestWait: UInt64 = 16 * firstWait
    /// A trim that is so many waits old was worth it.
    private static let worthwhile: UInt64 = 16
    /// Nanoseconds between two looks.
    private static let interval: UInt64 = 5_000_000_000
    /// The time behind a trim in which the machine generates again what it needs while it is idle. The heap is given back at each look then.
    private static let settling: UInt64 = 30_000_000_000
    /// Processor time after which there is something to give up.
    private static let leastWork: UInt64 = 250_000_000

    /// Nanoseconds without work before a trim.
    private(set) var wait = firstWait
    private var last: (now: UInt64, used: UInt64)
    private var idleSince: UInt64
    /// When the machine was trimmed last, and the processor time that it had used until then.
    private var trimmed: (now: UInt64, used: UInt64)?

    /// - Parameters:
    ///   - now: nanoseconds of a steady clock.
    ///   - used: nanoseconds of processor time until now.
    init(now: UInt64, used: UInt64) {
        last = (now, used)
        idleSince = now
    }

    /// The time of the next look.
    var nextLook: UInt64 { last.now &+ Self.interval }

    /// What a look finds to be given up.
    enum Decision: Equatable {
        case nothing
        /// Memory of the heap that is free.
        case heap
        /// All that makes the machine fast; `noteTrim` says that it was given up.
        case machine
    }

    mutating func look(now: UInt64, used: UInt64) -> Decision {
        let (elapsed, work) = (now &- last.now, used &- min(last.used, used))
        last = (now, used)
        if work > elapsed / 100 * Self.busyPercent {
            idleSince = now
            return .nothing
        }
        if let trimmed, now &- trimmed.now <= Self.settling { return .heap }
        let isDue = now &- idleSince >= wait && used &- min(trimmed?.used ?? 0, used) >= Self.leastWork
        return isDue ? .machine : .nothing
    }

    mutating func noteTrim(now: UInt64, used: UInt64) {
        if let trimmed {
            let isRecent = now &- trimmed.now < wait &* Self.worthwhile
            wait = isRecent ? min(wait * 2, Self.longestWait) : Self.firstWait
        }
        trimmed = (now, used)
        idleSince = now
    }
}

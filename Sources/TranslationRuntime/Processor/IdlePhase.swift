/// The phase of an idle guest after a trim: its timers and daemons alone bring no generated code back, since the interpreter runs them.
///
/// It ends when the guest works: when a processor retires more than a number of instructions in a short time. A pure function of the times that
/// it gets.
struct IdlePhase {
    /// Nanoseconds of a window, and the instructions in it that are work. An idle Linux guest retires some ten thousand.
    static let window: UInt64 = 100_000_000
    static let budget: UInt64 = 200_000

    private(set) var isOn = false
    private var begin: (now: UInt64, retired: UInt64) = (0, 0)

    /// Begins with the next look.
    mutating func start() {
        isOn = true
        begin = (0, 0)
    }

    /// Whether the phase goes on.
    ///
    /// - Parameters:
    ///   - now: nanoseconds of a steady clock.
    ///   - retired: instructions that the processor has retired.
    mutating func goesOn(now: UInt64, retired: UInt64) -> Bool {
        guard isOn else { return false }
        if now &- begin.now > Self.window {
            begin = (now, retired)
        } else if retired &- begin.retired > Self.budget {
            isOn = false
        }
        return isOn
    }
}

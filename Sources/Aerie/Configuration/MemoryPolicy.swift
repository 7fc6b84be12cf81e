/// How a machine saves memory of its host while its guest could do with less.
///
/// Without a policy, a machine keeps the memory that its guest has once used, except for free pages, which go back in any case
/// (`VirtualMachine.memoryStatistics`).
public struct MemoryPolicy: Codable, Equatable, Sendable {
    /// Whether the guest lends memory to the host, through its balloon, while the host is short of memory. The guest keeps the memory that it
    /// uses, by its own figures, and a reserve of an eighth of its memory, at least 64M; it never has less than a quarter of its memory.
    public var lendsUnderPressure = false
    /// The guest's memory is pushed out to the host's swap space after so many seconds without work, in `idleTimes`; nil keeps it. The
    /// process's processor time counts, so that this is for a machine that is its process's only one.
    public var idleTime: Int?

    /// The valid numbers of seconds without work: 10 to 86,400.
    public static let idleTimes = 10...86_400
    /// The number of seconds of `idle` without a number.
    private static let usualIdleTime = 300

    /// A policy that changes nothing.
    public init() {}

    /// Parses `fixed`, `pressure`, `idle[=SECONDS]`, or the last two with a comma between them.
    ///
    /// - Throws: an error of category `usage` for other words and for a number out of range.
    public init(option text: String) throws(AerieError) {
        if text == "fixed" { return }
        for part in OptionParts.split(text) {
            if part == "pressure" {
                lendsUnderPressure = true
            } else if part == "idle" {
                idleTime = Self.usualIdleTime
            } else if part.hasPrefix("idle=") {
                let word = part.dropFirst(5)
                guard let seconds = Int(word), Self.idleTimes.contains(seconds), !word.hasPrefix("+") else {
                    throw AerieError(
                        .usage, asked: "--memory-policy \(text)", found: "'\(word)' is not a valid number of seconds",
                        advice: "use a number from \(Self.idleTimes.lowerBound) to \(Self.idleTimes.upperBound)")
                }
                idleTime = seconds
            } else {
                throw AerieError(
                    .usage, asked: "--memory-policy \(text)", found: "'\(part)' is not a valid policy",
                    advice: "use fixed, pressure, idle[=SECONDS], or pressure,idle")
            }
        }
    }

    func validate() throws(AerieError) {
        guard let idleTime, !Self.idleTimes.contains(idleTime) else { return }
        throw AerieError(
            .usage, asked: "a memory policy with an idle time of \(idleTime) seconds",
            found: "idle times are \(Self.idleTimes.lowerBound) to \(Self.idleTimes.upperBound) seconds",
            advice: "choose a number in this range")
    }
}

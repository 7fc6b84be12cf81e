internal import Glibc
internal import HostSystem

/// The host's memory pressure, from files that are opened before the machine's process is in its jail.
///
///     /proc/pressure/memory      some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS
///     /proc/meminfo              MemTotal: KILOBYTES kB, MemAvailable: KILOBYTES kB, SwapTotal: KILOBYTES kB
///
/// `total` of `some` is the time in which at least one program waited for memory (PSI). The file of the process's control group has the same
/// form, and counts the waits that the group's own limit causes.
final class MemoryPressure: Sendable {
    private enum Source {
        /// The kernel makes `descriptor` ready when programs waited.
        case trigger
        /// Somebody has to look at the file.
        case file
        /// A file that can become a trigger.
        case unarmed
    }

    private struct Stalls {
        /// Microseconds of waits, and nanoseconds of the clock, at the last look.
        var total: UInt64
        var time: UInt64
    }

    /// The window of a trigger in nanoseconds.
    static let window: UInt64 = 2_000_000_000
    /// Waits of 200 ms within 2 s. A window of 2 s is the one that every user may have (Linux 6.5 and later).
    private static let trigger = Array("some 200000 2000000\0".utf8)
    /// Waits of more than 10% of the time are high pressure, and of less than 1% low pressure.
    private static let (highPercent, lowPercent): (UInt64, UInt64) = (10, 1)
    /// Of the memory: less is high pressure where there is no PSI, and more is needed for low pressure.
    private static let scarcePercent: UInt64 = 10
    private static let plentyPercent: UInt64 = 20

    private let lookInterval: UInt64
    private let groups: [SharedDescriptor]
    /// Of each group.
    private let sources: Monitor<[Source]>
    private let meminfo: SharedDescriptor?
    private let stalls: Monitor<[Stalls]>

    /// Opens the files; one that cannot be opened is left out.
    init(_ files: MemoryFiles) {
        lookInterval = files.interval
        let opened = files.pressure.compactMap { Self.open($0) }
        groups = opened.map(\.file)
        sources = Monitor(opened.map(\.source))
        meminfo = SharedDescriptor(path: files.meminfo, flags: O_RDONLY)
        let now = HostClock.monotonic()
        stalls = Monitor(groups.map { Stalls(total: Self.total($0) ?? 0, time: now) })
    }

    private static func open(_ path: String) -> (file: SharedDescriptor, source: Source)? {
        if let file = SharedDescriptor(path: path, flags: O_RDWR | O_NONBLOCK), total(file) != nil {
            return (file, .unarmed)
        }
        guard let file = SharedDescriptor(path: path, flags: O_RDONLY), total(file) != nil else { return nil }
        return (file, .file)
    }

    /// Makes triggers of the files that can be some. Without it the kernel has no work with a machine that lends nothing.
    func arm() {
        sources.withLock { sources in
            for index in groups.indices where sources[index] == .unarmed {
                let descriptor = groups[index].descriptor
                let count = Self.trigger.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                sources[index] = count == Self.trigger.count ? .trigger : .file
            }
        }
    }

    /// Whether anything says how much memory the host has.
    var isKnown: Bool { !groups.isEmpty || meminfo != nil }

    /// Nanoseconds until somebody has to look although no trigger came; nil where each file has a trigger.
    var interval: UInt64? {
        let hasTriggers = sources.withLock { !$0.isEmpty && $0.allSatisfy { $0 == .trigger } }
        return hasTriggers ? nil : lookInterval
    }

    /// Descriptors that become ready with POLLPRI under pressure; none before `arm`.
    var triggers: [Int32] {
        sources.withLock { sources in zip(groups, sources).filter { $0.1 == .trigger }.map(\.0.descriptor) }
    }

    /// The level since the last look.
    ///
    /// - Parameter isTriggered: whether one of `triggers` became ready since then.
    func level(now: UInt64, isTriggered: Bool) -> PressureLevel {
        // In percent of the time since the last look, the larger one of the host and the group.
        let waited = stalls.withLock { stalls -> UInt64? in
            var most: UInt64?
            for index in groups.indices {
                guard let total = Self.total(groups[index]) else { continue }
                let elapsed = max((now &- min(stalls[index].time, now)) / 1000, 1)
                // Numbers have 54 bits at most.
                most = max(most ?? 0, (total &- min(stalls[index].total, total)) * 100 / elapsed)
                stalls[index] = Stalls(total: total, time: now)
            }
            return most
        }
        return Self.level(isTriggered: isTriggered, waited: waited, available: availablePercent)
    }

    /// - Parameters:
    ///   - waited: percent of the time; nil without PSI.
    ///   - available: percent of the memory; nil where nobody knows.
    static func level(isTriggered: Bool, waited: UInt64?, available: UInt64?) -> PressureLevel {
        if isTriggered { return .high }
        if let waited {
            if waited >= highPercent { return .high }
            // Where memory is scarce, what is given back would be missed at once.
            return waited < lowPercent && available ?? 100 >= scarcePercent ? .low : .steady
        }
        guard let available else { return .steady }
        return available < scarcePercent ? .high : available >= plentyPercent ? .low : .steady
    }

    /// Whether the host has swap space; false also where nobody knows.
    var hasSwap: Bool { number(behind: "SwapTotal:") ?? 0 > 0 }

    private var availablePercent: UInt64? {
        guard let total = number(behind: "MemTotal:"), let available = number(behind: "MemAvailable:"), total > 0
        else { return nil }
        return min(available, total) * 100 / total
    }

    private func number(behind word: StaticString) -> UInt64? {
        meminfo.flatMap { $0.text(limit: 4096) }.flatMap { Self.number(behind: word, in: $0) }
    }

    private static func total(_ file: SharedDescriptor) -> UInt64? {
        // The first line is that of `some`.
        file.text(limit: 512).flatMap { number(behind: "total=", in: $0) }
    }

    /// The number behind the first `word`; nil without one. Numbers of more than 54 bits count as none.
    static func number(behind word: StaticString, in text: [UInt8]) -> UInt64? {
        let word = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard text.count >= word.count else { return nil }
        for start in 0...(text.count - word.count) where text[start..<start + word.count].elementsEqual(word) {
            let rest = text[(start + word.count)...].drop { $0 == UInt8(ascii: " ") }
            let digits = rest.prefix { 0x30...0x39 ~= $0 }
            guard 1...16 ~= digits.count else { return nil }
            return digits.reduce(0) { $0 * 10 + UInt64($1 - 0x30) }
        }
        return nil
    }
}

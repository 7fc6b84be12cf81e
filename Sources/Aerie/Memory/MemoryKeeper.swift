internal import Glibc
internal import GuestMemory
internal import HostSystem
internal import VirtioDevices

/// Carries a machine's memory policy out, on a thread of its own, which a machine without a policy does not have.
///
/// Files are opened when it is made, before the machine's process is in its jail. The thread sleeps until the host's kernel reports pressure or
/// the next look is due, and ends with the machine.
final class MemoryKeeper: Sendable {
    /// Steps with low pressure before memory is given back.
    private static let calmSteps: UInt64 = 10

    /// The policy that holds, and the thread that carries it out.
    private struct Course {
        var policy = MemoryPolicy()
        /// Counts the changes of the policy.
        var number = 0
        var hasThread = false
        var hasEnded = false
    }

    private let step: UInt64
    private let pressure: MemoryPressure
    private let memory: GuestMemory
    private let growth: MemoryDevice?
    private let balloon: BalloonDevice?
    private let log: Log
    private let wake: EventCounter
    private let course = Monitor(Course())

    /// - Throws: `unavailable` when the policy cannot be carried out; see `set(_:)`.
    init(
        _ policy: MemoryPolicy, _ files: MemoryFiles, memory: GuestMemory, growth: MemoryDevice?,
        balloon: BalloonDevice?, log: Log
    ) throws(AerieError) {
        self.memory = memory
        self.growth = growth
        self.balloon = balloon
        self.log = log
        step = files.step
        pressure = MemoryPressure(files)
        do throws(SystemError) { wake = try EventCounter() } catch {
            throw AerieError(opening: "the memory policy", error)
        }
        try set(policy)
    }

    /// Replaces the policy. Memory that is lent comes back at once if the new policy lends none. Any thread; it does not wait.
    ///
    /// - Throws: `unavailable` when memory shall be lent, and the machine has no balloon, or the host does not say how much memory it has.
    func set(_ policy: MemoryPolicy) throws(AerieError) {
        if policy.lendsUnderPressure { try checkLending() }
        course.withLock { course in
            course.policy = policy
            course.number += 1
        }
        wake.signal()
    }

    private func checkLending() throws(AerieError) {
        let asked = "--memory-policy pressure"
        guard balloon != nil else {
            throw AerieError(
                .unavailable, asked: asked,
                found: "the machine has no balloon, because other devices have all its virtio-mmio slots",
                advice: "use the transport pci")
        }
        guard pressure.isKnown else {
            throw AerieError(
                .unavailable, asked: asked, found: "this host has neither /proc/pressure/memory nor /proc/meminfo",
                advice: "use --memory-policy fixed")
        }
    }

    /// The thread that carries the policy out, when it is needed for the first time; nil otherwise. The caller joins it after `stop`.
    func startIfNeeded() throws(SystemError) -> HostThread? {
        let isNeeded = course.withLock { course in
            guard course.policy != MemoryPolicy(), !course.hasThread, !course.hasEnded else { return false }
            course.hasThread = true
            return true
        }
        guard isNeeded else { return nil }
        do throws(SystemError) {
            return try HostThread(name: "memory-policy") { [self] in run() }
        } catch {
            course.withLock { $0.hasThread = false }
            throw error
        }
    }

    /// Ends the thread. Any thread; it does not wait.
    func stop() {
        course.withLock { $0.hasEnded = true }
        wake.signal()
    }

    private var isOver: Bool { course.withLock { $0.hasEnded } }

    /// The policy that holds, and its number; nil at the end.
    private var present: (policy: MemoryPolicy, number: Int)? {
        course.withLock { $0.hasEnded ? nil : ($0.policy, $0.number) }
    }

    // MARK: The thread

    private func run() {
        var loan = MemoryLoan(calm: Self.calmSteps * step)
        while let (policy, number) = present {
            if policy.lendsUnderPressure {
                pressure.arm()
            } else if loan.lent > 0, let balloon {
                report(0, was: loan.lent)
                balloon.lend(0)
                loan = MemoryLoan(calm: Self.calmSteps * step)
            }
            if policy.idleTime != nil { checkSwap() }
            follow(policy, &loan) { course.withLock { $0.hasEnded || $0.number != number } }
        }
    }

    /// Carries a policy out until `isDone`.
    private func follow(_ policy: MemoryPolicy, _ loan: inout MemoryLoan, until isDone: () -> Bool) {
        /// The number of reports that the balloon's driver had sent at the last change of the loan.
        var reportsAtChange: UInt64 = 0
        var watch = policy.idleTime.map {
            IdleWatch(idleTime: UInt64($0) * 1_000_000_000, now: HostClock.monotonic(), used: HostClock.processTime())
        }
        var isActive = loan.lent > 0
        var lastTrigger: UInt64?
        var triggers = policy.lendsUnderPressure ? pressure.triggers : []
        while !isDone() {
            let isTriggered = wait(&triggers, until: nextLook(policy, isActive: isActive, watch))
            let now = HostClock.monotonic()
            if isTriggered { lastTrigger = now }
            if let balloon, policy.lendsUnderPressure {
                // A trigger tells of pressure once in a window.
                let isHigh = lastTrigger.map { now - $0 < MemoryPressure.window } ?? false
                let level = pressure.level(now: now, isTriggered: isHigh)
                let status = balloon.status
                if loan.look(now: now, level: level, guest: guest(status, newerThan: reportsAtChange)) {
                    report(loan.lent, was: status.lent)
                    balloon.lend(loan.lent)
                    reportsAtChange = balloon.status.reports
                }
                isActive = level == .high || loan.lent > 0
                // The answer is there at the next look.
                if isActive { balloon.refreshStatistics() }
            }
            if let due = watch?.nextLook, due <= now, watch?.look(now: now, used: HostClock.processTime()) == true {
                pushOut()
            }
        }
    }

    private func nextLook(_ policy: MemoryPolicy, isActive: Bool, _ watch: IdleWatch?) -> UInt64? {
        var next = watch?.nextLook
        if policy.lendsUnderPressure, let pause = isActive ? step : pressure.interval {
            next = min(next ?? .max, HostClock.monotonic() &+ pause)
        }
        return next
    }

    /// Waits for the end, for another policy, for pressure, or for a time.
    ///
    /// - Parameter triggers: one that reports an error, as that of a control group that was removed, is left out from then on.
    /// - Returns: whether there was pressure.
    private func wait(_ triggers: inout [Int32], until deadline: UInt64?) -> Bool {
        var entries = triggers.map { pollfd(fd: $0, events: Int16(POLLPRI), revents: 0) }
        entries.append(pollfd(fd: wake.rawValue, events: Int16(POLLIN), revents: 0))
        let now = HostClock.monotonic()
        // Rounded up, so that the time has passed afterwards.
        let pause = deadline.map { Int32(clamping: (max($0, now) - now + 999_999) / 1_000_000) } ?? -1
        guard poll(&entries, nfds_t(entries.count), pause) > 0 else { return false }
        wake.drain()
        triggers.removeAll { trigger in
            entries.contains { $0.fd == trigger && $0.revents & Int16(POLLERR | POLLNVAL) != 0 }
        }
        return entries.dropLast().contains { $0.revents & Int16(POLLPRI) != 0 && $0.revents & Int16(POLLERR) == 0 }
    }

    // MARK: Lending

    /// The guest's figures; nil where its driver has reported none since the last change.
    private func guest(_ status: BalloonDevice.Status, newerThan reports: UInt64) -> MemoryLoan.Guest? {
        guard status.reports > reports, let statistics = status.statistics,
            let available = statistics.available ?? statistics.free
        else { return nil }
        // Unplugged blocks are not the guest's.
        let size = growth.map { memory.size - $0.size + $0.status.plugged } ?? memory.size
        let wanted = min(status.requested, size)
        return MemoryLoan.Guest(
            allowed: size - min(wanted - min(status.lent, wanted), size),
            outstanding: wanted - min(status.actual, wanted), available: available)
    }

    private func report(_ lent: UInt64, was before: UInt64) {
        if before == 0 {
            log.note(.info, "memory", cause: "lends", "the host is short of memory, and the guest lends some")
        } else if lent == 0 {
            log.note(.info, "memory", cause: "hasAll", "the guest has all its memory again")
        }
    }

    // MARK: Idle guests

    /// Warns where memory cannot be pushed out.
    private func checkSwap() {
        guard !pressure.hasSwap else { return }
        log.note(
            .warning, "memory", cause: "noSwap",
            "--memory-policy idle: the host has no swap space, so the memory of an idle guest stays; add swap space or zram"
        )
    }

    private func pushOut() {
        // Without swap space the pages would leave this process's tables only, and stay in memory.
        guard pressure.hasSwap else { return }
        do throws(SystemError) {
            let isWhole = try memory.pushOut { isOver }
            if isWhole { log.note(.info, "memory", cause: "pushedOut", "the guest is idle; its memory is pushed out") }
        } catch {
            log.note(.warning, "memory", cause: "notPushedOut", "the memory of the idle guest stays: \(error)")
        }
    }
}

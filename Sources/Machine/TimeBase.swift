internal import HostSystem
internal import Synchronization

/// A guest's time: a counter at 10 MHz that stands still while the machine is paused and goes on after a restore.
///
/// This is `mtime` of a RISC-V board (Privileged Architecture 3.2.1) and the source of every `time` CSR.
package final class TimeBase: Sendable {
    /// Ticks a second.
    package static let frequency: UInt64 = 10_000_000
    private static let nanosecondsPerTick = 1_000_000_000 / frequency

    // A running clock shows host time less `origin` (nanoseconds); a stopped one shows `frozen` ticks.
    private let origin: Atomic<UInt64>
    private let frozen = Atomic<UInt64>(0)
    private let running = Atomic<Bool>(true)

    /// A running clock that shows 0 now.
    package init() {
        origin = Atomic(HostClock.monotonic())
    }

    /// The present time in ticks. Any thread.
    package var now: UInt64 {
        guard running.load(ordering: .acquiring) else { return frozen.load(ordering: .relaxed) }
        return (HostClock.monotonic() &- origin.load(ordering: .relaxed)) / Self.nanosecondsPerTick
    }

    /// The host's monotonic time, in nanoseconds, at which a running clock reaches `ticks`; nil when that never comes.
    package func hostTime(of ticks: UInt64) -> UInt64? {
        guard running.load(ordering: .acquiring) else { return nil }
        let (product, overflow) = ticks.multipliedReportingOverflow(by: Self.nanosecondsPerTick)
        let (time, carry) = product.addingReportingOverflow(origin.load(ordering: .relaxed))
        return overflow || carry ? nil : time
    }

    /// Stops the clock at the present time. Only while vCPUs and devices are paused, as `start` and `set`.
    package func stop() {
        frozen.store(now, ordering: .relaxed)
        running.store(false, ordering: .releasing)
    }

    /// Lets a stopped clock go on from the time it shows.
    package func start() {
        let elapsed = frozen.load(ordering: .relaxed) &* Self.nanosecondsPerTick
        origin.store(HostClock.monotonic() &- elapsed, ordering: .relaxed)
        running.store(true, ordering: .releasing)
    }

    /// Sets a stopped clock.
    package func set(_ ticks: UInt64) {
        frozen.store(ticks, ordering: .relaxed)
    }
}

/// A processor with a timer of its own that an outside register programs (ACLINT's MTIMECMP).
package protocol TimerTarget: AnyObject, Sendable {
    /// From now on the processor's machine timer interrupt is pending while `TimeBase.now` is at least `deadline`.
    func setMachineTimer(_ deadline: UInt64)
}

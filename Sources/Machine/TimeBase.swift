internal import HostSystem
internal import Synchronization

/// A guest's time: a counter at 10 MHz that stands still while the machine is paused and goes on after a restore.
///
/// This is `mtime` of a RISC-V board (Privileged Architecture 3.2.1) and the source of every `time` CSR.
package final class TimeBase: Sendable {
    /// Ticks a second.
    package static let frequency: UInt64 = 10_000_000
    private static let nanosecondsPerTick = 1_000_000_000 / frequency

    // A running clock shows `offset` and the ticks since `origin` (host time in nanoseconds), modulo 2^64; a stopped one
    // shows `frozen`. Only `offset` changes while others may read a running clock.
    private let origin: Atomic<UInt64>
    private let offset = Atomic<UInt64>(0)
    private let frozen = Atomic<UInt64>(0)
    private let running = Atomic<Bool>(true)

    /// A running clock that shows 0 now.
    package init() {
        origin = Atomic(HostClock.monotonic())
    }

    private var elapsed: UInt64 {
        (HostClock.monotonic() &- origin.load(ordering: .relaxed)) / Self.nanosecondsPerTick
    }

    /// The present time in ticks. Any thread.
    package var now: UInt64 {
        guard running.load(ordering: .acquiring) else { return frozen.load(ordering: .relaxed) }
        return elapsed &+ offset.load(ordering: .relaxed)
    }

    /// The host's monotonic time, in nanoseconds, at which a running clock reaches `ticks`; nil when that never comes. It
    /// does not hold beyond the next `set`.
    package func hostTime(of ticks: UInt64) -> UInt64? {
        guard running.load(ordering: .acquiring) else { return nil }
        let elapsed = elapsed
        let now = elapsed &+ offset.load(ordering: .relaxed)
        let (target, beyond) = elapsed.addingReportingOverflow(ticks > now ? ticks - now : 0)
        let (product, overflow) = target.multipliedReportingOverflow(by: Self.nanosecondsPerTick)
        let (time, carry) = product.addingReportingOverflow(origin.load(ordering: .relaxed))
        return beyond || overflow || carry ? nil : time
    }

    /// Stops the clock at the present time. Only while vCPUs and devices are paused, as `start`.
    package func stop() {
        frozen.store(now, ordering: .relaxed)
        running.store(false, ordering: .releasing)
    }

    /// Lets a stopped clock go on from the time it shows.
    package func start() {
        origin.store(HostClock.monotonic(), ordering: .relaxed)
        offset.store(frozen.load(ordering: .relaxed), ordering: .relaxed)
        running.store(true, ordering: .releasing)
    }

    /// Sets the clock, running or not, to any time. One thread at a time; whoever waits for a time has to look again.
    package func set(_ ticks: UInt64) {
        if running.load(ordering: .acquiring) {
            offset.store(ticks &- elapsed, ordering: .relaxed)
        } else {
            frozen.store(ticks, ordering: .relaxed)
        }
    }
}

/// A processor with a timer of its own that an outside register programs (ACLINT's MTIMECMP).
package protocol TimerTarget: AnyObject, Sendable {
    /// From now on the processor's machine timer interrupt is pending while `TimeBase.now` is at least `deadline`.
    func setMachineTimer(_ deadline: UInt64)
}

internal import HostSystem
internal import Synchronization

/// A guest's time: a counter at 10 MHz that stops while the machine is paused and continues after a restore.
///
/// On a RISC-V board this is `mtime` (Privileged Architecture 3.2.1) and the source of every `time` CSR.
package final class TimeBase: Sendable {
    /// Ticks per second.
    package static let frequency: UInt64 = 10_000_000
    private static let nanosecondsPerTick = 1_000_000_000 / frequency

    // Running: the time is `offset` plus the ticks since `origin` (host time in nanoseconds), modulo 2^64. Stopped: the time
    // is `frozen`. While the clock runs, only `offset` changes, because other threads may read.
    private let origin: Atomic<UInt64>
    private let offset = Atomic<UInt64>(0)
    private let frozen = Atomic<UInt64>(0)
    private let running = Atomic<Bool>(true)

    /// Creates a running clock at time 0.
    package init() {
        origin = Atomic(HostClock.monotonic())
    }

    private var elapsed: UInt64 {
        (HostClock.monotonic() &- origin.load(ordering: .relaxed)) / Self.nanosecondsPerTick
    }

    /// The present time in ticks, on any thread.
    package var now: UInt64 {
        guard running.load(ordering: .acquiring) else { return frozen.load(ordering: .relaxed) }
        return elapsed &+ offset.load(ordering: .relaxed)
    }

    /// The host's monotonic time, in nanoseconds, at which the clock reaches `ticks`; nil when the clock is stopped or the time
    /// is out of range. The result is valid until the next `set`.
    package func hostTime(of ticks: UInt64) -> UInt64? {
        guard running.load(ordering: .acquiring) else { return nil }
        let elapsed = elapsed
        let now = elapsed &+ offset.load(ordering: .relaxed)
        let (target, beyond) = elapsed.addingReportingOverflow(ticks > now ? ticks - now : 0)
        let (product, overflow) = target.multipliedReportingOverflow(by: Self.nanosecondsPerTick)
        let (time, carry) = product.addingReportingOverflow(origin.load(ordering: .relaxed))
        return beyond || overflow || carry ? nil : time
    }

    /// Stops the clock at the present time. Call it and `start` only while vCPUs and devices are paused.
    package func stop() {
        frozen.store(now, ordering: .relaxed)
        running.store(false, ordering: .releasing)
    }

    /// Starts a stopped clock at its present time.
    package func start() {
        origin.store(HostClock.monotonic(), ordering: .relaxed)
        offset.store(frozen.load(ordering: .relaxed), ordering: .relaxed)
        running.store(true, ordering: .releasing)
    }

    /// Sets the clock, running or stopped, to any time. One thread at a time. Threads that wait for a time must check again.
    package func set(_ ticks: UInt64) {
        if running.load(ordering: .acquiring) {
            offset.store(ticks &- elapsed, ordering: .relaxed)
        } else {
            frozen.store(ticks, ordering: .relaxed)
        }
    }
}

/// A vCPU whose timer is programmed by a device register (ACLINT's MTIMECMP).
package protocol TimerTarget: AnyObject, Sendable {
    /// Sets the deadline: the machine timer interrupt is pending while `TimeBase.now` is at least `deadline`.
    func setMachineTimer(_ deadline: UInt64)
}

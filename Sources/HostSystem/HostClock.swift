internal import Glibc

/// The host's clocks, in nanoseconds.
package enum HostClock {
    /// Time since an arbitrary start (CLOCK_MONOTONIC). Never decreases; stops while the host is suspended.
    package static func monotonic() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// Time since 1970-01-01 UTC (CLOCK_REALTIME).
    package static func realtime() -> UInt64 { read(CLOCK_REALTIME) }

    /// Processor time of all threads of this process, the ended ones too (CLOCK_PROCESS_CPUTIME_ID).
    package static func processTime() -> UInt64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}

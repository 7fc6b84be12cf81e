import Support

/// The kernel's clocks.
enum Clock {
    private static func read(_ clock: Int) -> UInt64 {
        var time = aerie_timespec()
        _ = withUnsafeMutablePointer(to: &time) { system(SystemCall.clock_gettime, clock, Int(bitPattern: $0)) }
        return UInt64(time.seconds) &* 1_000_000_000 &+ UInt64(time.nanoseconds)
    }

    /// Milliseconds that only run forward (CLOCK_MONOTONIC), for deadlines.
    static var milliseconds: UInt64 { read(1) / 1_000_000 }

    /// Nanoseconds since the boot, with the time of pauses (CLOCK_BOOTTIME).
    static var uptime: UInt64 { read(7) }

    static func setWallClock(_ time: GuestTime) throws(Errno) {
        var value = aerie_timespec(seconds: Int64(time.seconds), nanoseconds: Int64(time.nanoseconds))
        try checked(
            withUnsafeMutablePointer(to: &value) {
                // CLOCK_REALTIME
                system(SystemCall.clock_settime, 0, Int(bitPattern: $0))
            })
    }

    static func sleep(milliseconds: Int) {
        var time = aerie_timespec(
            seconds: Int64(milliseconds / 1000), nanoseconds: Int64(milliseconds % 1000) * 1_000_000)
        _ = withUnsafeMutablePointer(to: &time) { system(SystemCall.nanosleep, Int(bitPattern: $0), 0) }
    }
}

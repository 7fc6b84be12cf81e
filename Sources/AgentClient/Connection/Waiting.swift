internal import Glibc
internal import HostSystem

/// Waits of the client's thread.
enum Waiting {
    /// Waits until a descriptor has one of the events of poll(2), an error or a hang-up.
    ///
    /// - Parameter deadline: in nanoseconds of `HostClock.monotonic`; nil waits without limit.
    /// - Returns: false when the deadline has passed.
    static func wait(_ descriptor: Int32, _ events: Int16, by deadline: UInt64?) -> Bool {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        while true {
            let count = poll(&entry, 1, milliseconds(until: deadline))
            if count > 0 { return true }
            if let deadline, HostClock.monotonic() >= deadline { return false }
        }
    }

    /// Sleeps, but not beyond the deadline.
    static func pause(_ nanoseconds: UInt64, by deadline: UInt64) {
        let now = HostClock.monotonic()
        guard now < deadline else { return }
        let time = min(nanoseconds, deadline - now)
        var rest = timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
        nanosleep(&rest, nil)
    }

    private static func milliseconds(until deadline: UInt64?) -> Int32 {
        guard let deadline else { return -1 }
        let now = HostClock.monotonic()
        return deadline <= now ? 0 : Int32(min((deadline - now + 999_999) / 1_000_000, 60_000))
    }
}

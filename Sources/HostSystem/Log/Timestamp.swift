internal import Glibc

/// A time as ISO 8601 writes it, in UTC with milliseconds or nanoseconds: `2026-11-27T16:24:49.123Z`.
package enum Timestamp {
    /// What stands behind the seconds.
    package enum Precision: Sendable {
        case milliseconds, nanoseconds
    }

    package static func now(_ precision: Precision = .milliseconds) -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return text(seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec), precision)
    }

    /// - Parameter seconds: since the beginning of 1970.
    package static func text(
        seconds: Int, nanoseconds: Int, _ precision: Precision = .milliseconds
    ) -> String {
        var seconds = time_t(seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date = "\(parts.tm_year + 1900)-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
        let time = "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
        let fraction =
            precision == .nanoseconds
            ? digits(Int32(nanoseconds), 9) : digits(Int32(nanoseconds / 1_000_000), 3)
        return "\(date)T\(time).\(fraction)Z"
    }

    private static func digits(_ value: Int32, _ count: Int) -> String {
        let text = "\(value)"
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}

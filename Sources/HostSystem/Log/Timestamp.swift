internal import Glibc

/// A time as ISO 8601 writes it, in UTC with milliseconds: `2026-11-27T16:24:49.123Z`.
package enum Timestamp {
    package static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return text(seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
    }

    /// - Parameter seconds: since the beginning of 1970.
    package static func text(seconds: Int, nanoseconds: Int) -> String {
        var seconds = time_t(seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date = "\(parts.tm_year + 1900)-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
        let time = "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
        return "\(date)T\(time).\(digits(Int32(nanoseconds / 1_000_000), 3))Z"
    }

    private static func digits(_ value: Int32, _ count: Int) -> String {
        let text = "\(value)"
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}

/// A time of the wall clock: u64 seconds since 1970, u32 nanoseconds.
package struct GuestTime: Equatable {
    package let seconds: UInt64
    /// Less than a second.
    package let nanoseconds: UInt32

    /// Nil if the nanoseconds make a second or more, or the seconds leave the kernel's signed 64 bits.
    package init?(seconds: UInt64, nanoseconds: UInt32) {
        guard nanoseconds < 1_000_000_000, seconds <= UInt64(Int64.max) else { return nil }
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == 12, let seconds: UInt64 = bytes.integer(at: 0),
            let nanoseconds: UInt32 = bytes.integer(at: 8)
        else { return nil }
        self.init(seconds: seconds, nanoseconds: nanoseconds)
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendInteger(seconds)
        bytes.appendInteger(nanoseconds)
        return bytes
    }
}

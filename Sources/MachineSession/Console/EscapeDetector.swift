/// Finds the escape from a guest's console in what is typed: Ctrl-] three times within a second.
package struct EscapeDetector {
    package static let key: UInt8 = 0x1d
    /// Nanoseconds from the first press to the third.
    package static let interval: UInt64 = 1_000_000_000

    /// When the key was pressed, counting only presses with nothing else between them; at most two.
    private var presses: [UInt64] = []

    package init() {}

    /// Looks at bytes typed at `time` (nanoseconds of any steady clock).
    ///
    /// - Returns: how many of them are the guest's: all of them, or those before the press that completes the escape.
    package mutating func examine(_ bytes: [UInt8], at time: UInt64) -> (forGuest: Int, escaped: Bool) {
        for (index, byte) in bytes.enumerated() {
            guard byte == Self.key else {
                presses.removeAll()
                continue
            }
            presses.removeAll { time &- $0 > Self.interval }
            if presses.count == 2 {
                presses.removeAll()
                return (index, true)
            }
            presses.append(time)
        }
        return (bytes.count, false)
    }
}

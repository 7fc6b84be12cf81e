/// Finds the keys that detach a terminal from a guest: podman's Ctrl-P Ctrl-Q, and Ctrl-] three times within a second.
///
/// A Ctrl-P is held back until the next key shows whether it is the guest's.
package struct DetachKeys {
    private static let controlP: UInt8 = 0x10
    private static let controlQ: UInt8 = 0x11

    private var escape = EscapeDetector()
    private var holdsControlP = false

    package init() {}

    /// Looks at bytes typed at `time` (nanoseconds of any steady clock).
    ///
    /// - Returns: what is the guest's of them, and whether the keys were complete behind it.
    package mutating func examine(_ bytes: [UInt8], at time: UInt64) -> (forGuest: [UInt8], isDetached: Bool) {
        var forGuest: [UInt8] = []
        for byte in bytes {
            if holdsControlP {
                holdsControlP = false
                if byte == Self.controlQ { return (forGuest, true) }
                forGuest.append(Self.controlP)
            }
            if byte == Self.controlP {
                holdsControlP = true
                continue
            }
            let (count, escaped) = escape.examine([byte], at: time)
            if escaped { return (forGuest, true) }
            if count > 0 { forGuest.append(byte) }
        }
        return (forGuest, false)
    }
}

package import HostSystem

/// Finds the keys that leave a guest's console: a sequence that the user may choose, podman's Ctrl-P Ctrl-Q, and Ctrl-] three times within a
/// second.
package struct ConsoleKeys {
    package enum Found: Equatable, Sendable {
        case detach, escape
    }

    private var keys: DetachKeys
    private var escape = EscapeDetector()

    package init(_ keys: DetachKeys = .usual) { self.keys = keys }

    /// Looks at bytes typed at `time` (nanoseconds of any steady clock).
    ///
    /// - Returns: the guest's bytes, and the keys that were complete behind them, if any. Bytes behind these are dropped.
    package mutating func examine(_ bytes: [UInt8], at time: UInt64) -> (forGuest: [UInt8], found: Found?) {
        let (forGuest, isDetached) = keys.examine(bytes)
        let (count, isEscaped) = escape.examine(forGuest, at: time)
        if isEscaped { return (Array(forGuest[..<count]), .escape) }
        return (forGuest, isDetached ? .detach : nil)
    }
}

extension Duration {
    /// The whole of it, at most 2^33 seconds; negative durations are 0.
    package var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 1 << 33)) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000
    }
}

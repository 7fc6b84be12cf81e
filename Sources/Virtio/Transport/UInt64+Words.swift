extension UInt64 {
    /// Replaces the low (0) or high (1) half.
    mutating func replaceWord(_ index: Int, with value: UInt32) {
        let shift = UInt64(32 * index)
        self = self & ~(0xFFFF_FFFF << shift) | UInt64(value) << shift
    }
}

extension [UInt8] {
    /// Appends an integer, least significant byte first.
    package mutating func appendInteger<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) {
        var rest = value
        for _ in 0..<(Value.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// The whole array as one integer, least significant byte first, or nil if its size is not the integer's.
    package func integer<Value: FixedWidthInteger & UnsignedInteger>(as type: Value.Type = Value.self) -> Value? {
        count == Value.bitWidth / 8 ? integer(at: 0) : nil
    }

    /// The integer at `offset`, least significant byte first, or nil if the array ends before.
    package func integer<Value: FixedWidthInteger & UnsignedInteger>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value? {
        let width = Value.bitWidth / 8
        guard offset >= 0, count - offset >= width else { return nil }
        var value: Value = 0
        for index in (0..<width).reversed() { value = (value << 8) | Value(self[offset + index]) }
        return value
    }
}

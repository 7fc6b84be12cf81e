import Machine

/// SplitMix64: the same numbers for the same seed on every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// Reads and writes all over a device's registers as a hostile guest would: any offset, size and value.
    mutating func attack(
        _ device: any MemoryMappedDevice, size: UInt64, hotspots: [UInt64] = [], accesses: Int = 20_000
    ) {
        let values: [UInt64] = [0, 1, .max, 0x8000_0000, 0xFFFF_FFFF, 0xD0, 0xE8, 0x40, 0x20]
        for _ in 0..<accesses {
            let width: UInt64 = [1, 2, 4, 8].randomElement(using: &self)!
            var offset = UInt64.random(in: 0...size - width, using: &self)
            if let hotspot = hotspots.randomElement(using: &self), Bool.random(using: &self) {
                offset = min(hotspot &+ UInt64.random(in: 0..<8, using: &self), size - width)
            }
            if Bool.random(using: &self) {
                let value = Bool.random(using: &self) ? next() : values.randomElement(using: &self)!
                device.write(offset: offset, size: Int(width), value: value)
            } else {
                let value = device.read(offset: offset, size: Int(width))
                precondition(width == 8 || value >> (8 * width) == 0, "a read answers no more bits than asked for")
            }
        }
    }
}

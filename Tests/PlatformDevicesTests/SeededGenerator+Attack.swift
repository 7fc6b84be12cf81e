import Machine
import TestSupport

extension SeededGenerator {
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

/// Changes inputs at random, as coverage-guided fuzzers do, but without looking at coverage.
package struct Mutator<Generator: RandomNumberGenerator> {
    private var generator: Generator

    package init(_ generator: Generator) {
        self.generator = generator
    }

    /// `input` with one to eight changes.
    package mutating func mutate(_ input: [UInt8]) -> [UInt8] {
        var bytes = input
        for _ in 0...Int.random(in: 0..<8, using: &generator) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else {
            bytes = [UInt8.random(in: 0...255, using: &generator)]
            return
        }
        let index = Int.random(in: bytes.indices, using: &generator)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 2: bytes.removeSubrange(index..<min(bytes.count, index + Int.random(in: 1...16, using: &generator)))
        case 3: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        case 4: bytes.removeLast(bytes.count - index)
        case 5:
            let end = min(bytes.count, index + Int.random(in: 1...32, using: &generator))
            bytes.insert(contentsOf: Array(bytes[index..<end]), at: Int.random(in: 0...bytes.count, using: &generator))
        default: plantInteger(&bytes, at: index)
        }
    }

    /// Sizes and offsets at their limits.
    private mutating func plantInteger(_ bytes: inout [UInt8], at index: Int) {
        let values: [UInt64] = [0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 63, .max, .max - 0xFFF]
        let value = values.randomElement(using: &generator) ?? 0
        let size = [1, 2, 4, 8].randomElement(using: &generator) ?? 1
        for byte in 0..<size where index + byte < bytes.count {
            bytes[index + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))
        }
    }
}

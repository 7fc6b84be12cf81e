// Branches and calls. Those with a target return the position of its 32-bit displacement, for `link`.
extension Assembler {
    package mutating func jump() -> Int {
        byte(0xE9)
        word32(0)
        return position - 4
    }

    package mutating func jump(_ condition: HostCondition) -> Int {
        byte(0x0F)
        byte(0x80 | condition.rawValue)
        word32(0)
        return position - 4
    }

    package mutating func call() -> Int {
        byte(0xE8)
        word32(0)
        return position - 4
    }

    package mutating func jump(to target: Int) { link(jump(), to: target) }
    package mutating func jump(_ condition: HostCondition, to target: Int) { link(jump(condition), to: target) }
    package mutating func call(_ target: Int) { link(call(), to: target) }

    package mutating func jump(_ place: Place) { encode(0xFF, 4, place, wide: false) }
    package mutating func call(_ place: Place) { encode(0xFF, 2, place, wide: false) }
    package mutating func ret() { byte(0xC3) }

    package mutating func push(_ register: Register) {
        if register.rawValue >= 8 { byte(0x41) }
        byte(0x50 | register.rawValue & 7)
    }

    package mutating func pop(_ register: Register) {
        if register.rawValue >= 8 { byte(0x41) }
        byte(0x58 | register.rawValue & 7)
    }

    /// The address of a position, relative to the instruction. Returns where its displacement lies.
    package mutating func loadAddressOfPosition(_ register: Register) -> Int {
        byte(register.rawValue >= 8 ? 0x4C : 0x48)
        byte(0x8D)
        byte((register.rawValue & 7) << 3 | 5)
        word32(0)
        return position - 4
    }

    /// Pads so that `count` bytes which follow, a comparison with its jump, neither cross a border of 32 bytes nor end at one.
    ///
    /// Processors of the Skylake family do not keep such jumps in their cache of decoded instructions (Intel, "Mitigations
    /// for Jump Conditional Code Erratum").
    package mutating func keepTogether(_ count: Int) {
        let offset = position & 31
        guard offset + count > 31 else { return }
        var padding = 32 - offset
        while padding > 0 {
            let length = min(padding, Self.longestNop)
            for value in Self.nops[length - 1] { byte(value) }
            padding -= length
        }
    }

    private static let longestNop = 9
    /// NOPs of one to nine bytes, as Intel's manual recommends them (volume 2, NOP).
    private static let nops: [[UInt8]] = [
        [0x90], [0x66, 0x90], [0x0F, 0x1F, 0x00], [0x0F, 0x1F, 0x40, 0x00], [0x0F, 0x1F, 0x44, 0x00, 0x00],
        [0x66, 0x0F, 0x1F, 0x44, 0x00, 0x00], [0x0F, 0x1F, 0x80, 0x00, 0x00, 0x00, 0x00],
        [0x0F, 0x1F, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00], [0x66, 0x0F, 0x1F, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    ]

    /// Makes the displacement at `site` lead to `target`.
    ///
    /// It is one aligned or unaligned 32-bit store: the thread that executes the code is the one that calls this.
    package func link(_ site: Int, to target: Int) {
        UnsafeMutableRawPointer(base + site).storeBytes(
            of: UInt32(truncatingIfNeeded: target - (site + 4)), as: UInt32.self)
    }

    /// Makes the displacement at `site` lead here.
    package func linkHere(_ site: Int) { link(site, to: position) }
}

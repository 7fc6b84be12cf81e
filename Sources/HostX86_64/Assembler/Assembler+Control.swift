internal import Synchronization

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
    package mutating func loadAddressOfPosition(_ register: Register) -> Int { encodePosition(0x8D, register) }

    /// Calls the function whose address lies at a position.
    package mutating func call(through target: Int) {
        byte(0xFF)
        byte(0x15)
        word32(0)
        link(position - 4, to: target)
    }

    /// Loads the 64 bits at a position.
    package mutating func load(_ register: Register, position target: Int) {
        link(encodePosition(0x8B, register), to: target)
    }

    /// Adds the 64 bits at a position to a register.
    package mutating func add(_ register: Register, position target: Int) {
        link(encodePosition(0x03, register), to: target)
    }

    /// A 64-bit instruction with a register and a position, relative to the instruction, as its operands. Returns where the position's
    /// displacement lies.
    private mutating func encodePosition(_ opcode: UInt8, _ register: Register) -> Int {
        byte(register.rawValue >= 8 ? 0x4C : 0x48)
        byte(opcode)
        byte((register.rawValue & 7) << 3 | 5)
        word32(0)
        return position - 4
    }

    /// Pads so that `count` bytes which follow, a comparison with its jump, neither cross a border of 32 bytes nor end at one,
    /// and begin at a multiple of `alignment`.
    ///
    /// Processors of the Skylake family do not keep such jumps in their cache of decoded instructions (Intel, "Mitigations
    /// for Jump Conditional Code Erratum").
    package mutating func keepTogether(_ count: Int, alignment: Int = 1) {
        var padding = -position & (alignment - 1)
        let offset = (position + padding) & 31
        if offset + count > 31 { padding += 32 - offset }
        while padding > 0 {
            let length = min(padding, Self.longestNop)
            noOperation(length)
            padding -= length
        }
    }

    /// One instruction of 1 to 9 bytes that does nothing.
    package mutating func noOperation(_ length: Int) {
        for value in Self.nops[length - 1] { byte(value) }
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
    /// Nothing executes the instruction yet.
    package func link(_ site: Int, to target: Int) {
        UnsafeMutableRawPointer(base + site).storeBytes(
            of: UInt32(truncatingIfNeeded: target - (site + 4)), as: UInt32.self)
    }

    /// Code that is patched while it may execute lies in one aligned word of so many bytes.
    static let patchSize = 8

    /// Replaces the instruction at `position` by a jump, while other threads may execute it. The five bytes must lie in one
    /// aligned word, and be those of one instruction: then whoever executes them does the one or the other.
    func patchJump(_ position: Int, to target: Int) {
        let start = position & ~(Self.patchSize - 1)
        precondition(position + 5 <= start + Self.patchSize, "a jump that can be patched lies in one word")
        let word = UnsafeMutableRawPointer(base + start)
        var bytes = word.load(as: UInt64.self)
        let shift = UInt64(position - start) * 8
        let displacement = UInt64(UInt32(truncatingIfNeeded: target - (position + 5)))
        bytes = bytes & ~(0xFF_FFFF_FFFF << shift) | (displacement << 8 | 0xE9) << shift
        // Atomic<UInt64> has the layout of UInt64.
        word.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(bytes, ordering: .releasing)
    }

    /// Makes the displacement at `site` lead here.
    package func linkHere(_ site: Int) { link(site, to: position) }
}

/// Makes random sequences.
///
/// x8 and x9 always point into the case's memory and x31 counts loops, so nothing random writes them; x29 and x30 are for
/// the few instructions that belong together. What QEMU 7.2 does in another way than the specification allows us to
/// compare is avoided by construction:
/// - a misaligned AMO is cause 4 there: AMOs are aligned;
/// - an SC without a reservation does not look at its address there: LR and SC come in pairs, without translation;
/// - an AMO first loads there, with a load's faults and A bit: AMOs come without translation;
/// - mtval of EBREAK is 0 there, which is allowed: `FuzzComparison` leaves it out, and nothing reads mtval;
/// - A and D bits are always updated there: the driver sets menvcfg.ADUE;
/// - FS becomes dirty in other places there, which is allowed: FS is off or dirty here, never initial or clean;
/// - UXL and reserved values of MPP can be written there: mstatus changes by masks of known bits;
/// - bits 60:54 of page-table entries and the reserved memory type are not checked there, and sizes of Svnapot only
///   after A was set: entries have none of these;
/// - sepc keeps its lowest bit there: nothing writes it;
/// - CTZW counts on in the upper half there when the lower is 0: it is left out;
/// - Zicond, Zawrs, Zicbom and Zicboz are missing there, as are some of our CSRs, and others differ in their legal values.
struct FuzzGenerator {
    var random: FuzzRandom
    var sequence = FuzzSequence()
    /// The item that a backward branch is due to return to, and after how many items.
    private var loop: (start: Int, left: Int)?

    static let reserved: Set<UInt32> = [8, 9, 31]

    init(seed: UInt64) { random = FuzzRandom(seed: seed) }

    static func sequence(seed: UInt64, length: Int = 24) -> FuzzSequence {
        var generator = FuzzGenerator(seed: seed)
        generator.prepare()
        for _ in 0..<length { generator.addItem() }
        generator.closeLoop()
        return generator.sequence
    }

    // MARK: Building blocks

    mutating func register() -> UInt32 { random.word(below: 32) }

    mutating func destination() -> UInt32 {
        let register = random.word(below: 32)
        return Self.reserved.contains(register) ? 10 + register % 4 : register
    }

    mutating func immediate() -> Int {
        random.once(in: 4) ? random.pick([-2048, 2047, -1, 0, 1]) : random.below(4096) - 2048
    }

    mutating func add(words: [UInt32]) {
        add(size: words.count * 4) { _ in words.flatMap(Self.halves) }
    }

    mutating func add(half: UInt16) {
        add(size: 2) { _ in [half] }
    }

    mutating func add(size: Int, _ encode: @escaping (FuzzSequence.Layout) -> [UInt16]) {
        sequence.items.append(FuzzSequence.Item(size: size, encode: encode))
    }

    static func halves(_ word: UInt32) -> [UInt16] {
        [UInt16(truncatingIfNeeded: word), UInt16(truncatingIfNeeded: word >> 16)]
    }

    private mutating func addItem() {
        if let loop, loop.left == 0 { closeLoop() }
        loop?.left -= 1
        switch random.below(100) {
        case 0..<20: add(words: [integerOperation()])
        case 20..<40: addFloating()
        case 40..<58: addMemoryAccess()
        case 58..<66: add(half: compressed())
        case 66..<72: addJump()
        case 72..<77: add(words: [anyEncoding()])
        case 77..<82: addAtomic()
        case 82..<88: addControlRegister()
        case 88..<91: addConstant()
        case 91..<93: add(words: [random.pick([FuzzEncoding.ecall, FuzzEncoding.ebreak])])
        case 93..<95: addModifiedCode()
        case 95..<98: addEntryChange()
        default: openLoop()
        }
    }

    private mutating func openLoop() {
        guard loop == nil else { return }
        add(words: [FuzzEncoding.addi(31, 0, 1 + random.below(3))])
        loop = (sequence.items.count, 2 + random.below(5))
    }

    /// Counts down and goes back while the count is positive: that ends whatever the sequence did on its way.
    private mutating func closeLoop() {
        guard let loop else { return }
        self.loop = nil
        add(size: 8) { layout in
            Self.halves(FuzzEncoding.addi(31, 31, -1))
                + Self.halves(FuzzEncoding.branch(4, 0, 31, layout.items[loop.start] - layout.offset - 4))
        }
    }

    // MARK: Integer instructions

    mutating func integerOperation() -> UInt32 {
        let (rd, rs1, rs2) = (destination(), register(), register())
        switch random.below(8) {
        case 0, 1:
            let operation = random.pick(FuzzEncoding.registerOperations)
            return FuzzEncoding.r(0x33, operation.0, operation.1, rd, rs1, rs2)
        case 2:
            let operation = random.pick(FuzzEncoding.wordOperations)
            return FuzzEncoding.r(0x3b, operation.0, operation.1, rd, rs1, rs2)
        case 3:
            let shift = random.pick(FuzzEncoding.shifts)
            return shift.1 << 26 | random.word(below: shift.3 ? 64 : 32) << 20
                | FuzzEncoding.i(shift.0, shift.2, rd, rs1, 0)
        case 4: return random.pick(FuzzEncoding.unary) | rs1 << 15 | rd << 7
        case 5: return FuzzEncoding.i(0x1b, 0, rd, rs1, immediate())
        case 6: return random.word(below: 1 << 20) << 12 | rd << 7 | random.pick([0x37, 0x17])
        default: return FuzzEncoding.i(0x13, random.pick([0, 2, 3, 4, 6, 7]), rd, rs1, immediate())
        }
    }

    /// Random bits under opcodes that touch neither memory nor control flow: most of them must be illegal.
    private mutating func anyEncoding() -> UInt32 {
        let opcode = random.pick([
            0x33, 0x3b, 0x13, 0x1b, 0x53, 0x43, 0x47, 0x4b, 0x4f, 0x0b, 0x2b, 0x57, 0x5b, 0x77, 0x7b, 0x1f, 0x3f, 0x5f,
            0x7f, 0x6b, 0x0f,
        ])
        let word = UInt32(truncatingIfNeeded: random.next()) & ~0xfff | destination() << 7 | UInt32(opcode)
        let function = word >> 12 & 7
        let isConditionalZero = opcode == 0x33 && word >> 25 == 7 && function & 5 == 5
        let isCacheBlock = opcode == 0x0f && function == 2
        let isCount = word & 0xfff0_707f == 0x6010_101b
        return isConditionalZero || isCacheBlock || isCount ? FuzzEncoding.nop : word
    }

    /// Any compressed instruction but jumps, with memory accesses made safe.
    private mutating func compressed() -> UInt16 {
        var half = UInt16(truncatingIfNeeded: random.next())
        if half & 3 == 3 { half &= ~UInt16(1 + random.below(3)) }
        if half & 3 == 3 { half &= ~3 }
        let function = half >> 13
        switch half & 3 {
        case 0:
            // Loads and stores from x8 or x9; their integer destinations are x10 and up.
            if function != 0, function != 4 { half = half & ~(7 << 7) | UInt16(random.below(2)) << 7 }
            if [0, 2, 3].contains(function), half >> 2 & 7 < 2 { half |= 1 << 3 }
        case 1:
            if function > 4 { return FuzzEncoding.compressedNop }
            if function == 4 {
                if half >> 7 & 7 < 2 { half |= 1 << 8 }
            } else if Self.reserved.contains(UInt32(half >> 7 & 31)) {
                half = half & ~(31 << 7) | 12 << 7
            }
        default:
            let isJump = function == 4 && half >> 2 & 31 == 0 && half >> 7 & 31 != 0
            if isJump || ![0, 4].contains(function) { return FuzzEncoding.compressedNop }
            if Self.reserved.contains(UInt32(half >> 7 & 31)) { half = half & ~(31 << 7) | 12 << 7 }
        }
        return half
    }
}

// Memory, control flow, control registers.
extension FuzzGenerator {
    /// A load or store of any width at any alignment, from x8 or from x9 after it was moved.
    mutating func addMemoryAccess() {
        if random.once(in: 12) { return addStackAccess() }
        var words: [UInt32] = []
        var base: UInt32 = 8
        if random.once(in: 2) {
            base = 9
            if sequence.mode.isTranslated {
                words = [FuzzEncoding.lui(9, 0x4_0000 + random.word(below: 18))]
                if random.once(in: 2) {
                    words.append(FuzzEncoding.addi(9, 9, random.pick([-4, 8, 0x7f8, 0x123, -2048])))
                }
            } else {
                words = [FuzzEncoding.addi(9, 8, immediate())]
            }
        }
        // Near a page boundary now and then, where an access may lie in both pages.
        let offset = random.once(in: 3) ? random.below(16) - 8 : immediate()
        switch random.below(6) {
        case 0, 1: words.append(FuzzEncoding.i(0x03, random.word(below: 7), destination(), base, offset))
        case 2, 3: words.append(FuzzEncoding.s(0x23, random.word(below: 4), base, register(), offset))
        case 4: words.append(FuzzEncoding.i(0x07, 1 + random.word(below: 3), register(), base, offset))
        default: words.append(FuzzEncoding.s(0x27, 1 + random.word(below: 3), base, register(), offset))
        }
        add(words: words)
    }

    /// The compressed loads and stores relative to x2.
    private mutating func addStackAccess() {
        let function = random.pick([1, 2, 3, 5, 6, 7])
        var half = UInt16(function) << 13 | UInt16(truncatingIfNeeded: random.next()) & 0x1ffc | 2
        if Self.reserved.contains(UInt32(half >> 7 & 31)), function == 2 || function == 3 {
            half = half & ~(31 << 7) | 12 << 7
        }
        let setup = FuzzEncoding.addi(2, 8, random.pick([0, -8, -256, -3]))
        add(size: 6) { [half] _ in Self.halves(setup) + [half] }
    }

    mutating func addAtomic() {
        guard sequence.mode == .machine else { return addMemoryAccess() }
        let width: UInt32 = random.once(in: 2) ? 2 : 3
        let pointer = FuzzEncoding.addi(29, 8, random.pick([-2048, -1024, -8, 0, 8, 1024, 2040]))
        let ordering = random.word(below: 4)
        if random.once(in: 3) {
            let reserve = FuzzEncoding.r(0x2f, 2 << 2 | ordering, width, destination(), 29, 0)
            let store = FuzzEncoding.r(0x2f, 3 << 2 | ordering, width, destination(), 29, register())
            // lr may have overwritten the pointer: it is set again.
            return add(words: [pointer, reserve, pointer, store])
        }
        let operation = random.pick(FuzzEncoding.atomics)
        add(words: [pointer, FuzzEncoding.r(0x2f, operation << 2 | ordering, width, destination(), 29, register())])
    }

    /// A jump or branch forward.
    mutating func addJump() {
        let target = sequence.items.count + 1 + random.below(3)
        let (rd, first, second) = (destination(), register(), register())
        func distance(_ layout: FuzzSequence.Layout) -> Int {
            layout.items[min(target, layout.items.count - 1)] - layout.offset
        }
        switch random.below(6) {
        case 0: add(size: 4) { Self.halves(FuzzEncoding.jal(rd, distance($0))) }
        case 1:
            let low = random.below(2)
            add(size: 8) {
                Self.halves(FuzzEncoding.auipc(29)) + Self.halves(FuzzEncoding.i(0x67, 0, rd, 29, distance($0) + low))
            }
        case 2:
            let function: UInt16 = random.pick([5, 6, 7])
            let register = UInt16(2 + random.below(6))
            add(size: 2) { [Self.compressedJump(function, register, distance($0))] }
        default:
            let function = random.pick([0, 1, 4, 5, 6, 7] as [UInt32])
            add(size: 4) { Self.halves(FuzzEncoding.branch(function, first, second, distance($0))) }
        }
    }

    private static func compressedJump(_ function: UInt16, _ register: UInt16, _ offset: Int) -> UInt16 {
        let bits = UInt16(truncatingIfNeeded: offset)
        func field(_ from: UInt16, _ count: UInt16, _ to: UInt16) -> UInt16 {
            (bits >> from & (1 << count - 1)) << to
        }
        if function == 5 {
            let high = field(11, 1, 12) | field(4, 1, 11) | field(8, 2, 9) | field(10, 1, 8)
            return 0xa001 | high | field(6, 1, 7) | field(7, 1, 6) | field(1, 3, 3) | field(5, 1, 2)
        }
        let high = field(8, 1, 12) | field(3, 2, 10)
        return function << 13 | 1 | register << 7 | high | field(6, 2, 5) | field(1, 2, 3) | field(5, 1, 2)
    }

    private static let statusBits: [UInt64] = [1 << 1, 1 << 5, 1 << 8, 3 << 13, 1 << 18, 1 << 19]
    private static let machineStatusBits = statusBits + [1 << 3, 1 << 7, 1 << 20, 1 << 21, 1 << 22]

    mutating func addControlRegister() {
        switch random.below(4) {
        case 0:
            // A rounding mode, reserved ones among them, or the whole of fcsr.
            let mode = random.once(in: 4) ? random.word(below: 8) : random.word(below: 5)
            add(words: [FuzzEncoding.csr(5, destination(), mode, 2)])
        case 1:
            let function = random.pick([1, 2, 3, 5, 6, 7] as [UInt32])
            add(words: [FuzzEncoding.csr(function, destination(), register(), random.pick([1, 2, 3]))])
        case 2:
            let machine = sequence.mode == .machine || sequence.mode == .machineAsOther
            let bits = machine ? Self.machineStatusBits : Self.statusBits
            // Mostly back on, so that floating point is not off for good.
            let mask = (0..<3).reduce(UInt64(0)) { mask, _ in mask | random.pick(bits) }
            let high = UInt32((mask + 0x800) >> 12)
            let low = Int(mask & 0xfff) - (mask & 0x800 != 0 ? 0x1000 : 0)
            let clears = mask & 3 << 13 == 0 ? random.once(in: 2) : random.once(in: 4)
            add(words: [
                FuzzEncoding.lui(30, high), FuzzEncoding.addi(30, 30, low),
                FuzzEncoding.csr(clears ? 3 : 2, destination(), 30, machine && random.once(in: 2) ? 0x300 : 0x100),
            ])
        default:
            // stvec, sscratch, scause, stval: nothing is delegated, so they are storage with legal values.
            let number = random.pick([0x105, 0x140, 0x142, 0x143] as [UInt32])
            let function = random.pick([1, 2, 3, 5, 6, 7] as [UInt32])
            add(words: [FuzzEncoding.csr(function, destination(), register(), number)])
        }
    }

    /// Loads a constant from behind the code.
    mutating func addConstant() {
        let index = sequence.pool.count
        let floating = random.once(in: 2)
        sequence.pool.append((floating ? random.floating() : random.integer(), false))
        let (opcode, rd): (UInt32, UInt32) = floating ? (0x07, register()) : (0x03, destination())
        add(size: 8) { layout in
            Self.halves(FuzzEncoding.auipc(29))
                + Self.halves(FuzzEncoding.i(opcode, 3, rd, 29, layout.pool + 8 * index - layout.offset))
        }
    }

    /// Overwrites the instruction that follows, and executes it after fence.i.
    mutating func addModifiedCode() {
        let index = sequence.pool.count
        sequence.pool.append((UInt64(integerOperation()), false))
        add(size: 20) { layout in
            [
                FuzzEncoding.auipc(29), FuzzEncoding.i(0x03, 3, 30, 29, layout.pool + 8 * index - layout.offset),
                FuzzEncoding.s(0x23, 2, 29, 30, 16), FuzzEncoding.fenceI, FuzzEncoding.nop,
            ].flatMap(Self.halves)
        }
    }

    /// A supervisor changes one of its page-table entries, and fences that page or everything.
    mutating func addEntryChange() {
        guard sequence.mode == .supervisor else { return addMemoryAccess() }
        let page = random.below(16)
        let index = sequence.pool.count
        sequence.pool.append(leafEntry())
        let everything = random.once(in: 2)
        add(size: 24) { layout in
            [
                FuzzEncoding.auipc(29), FuzzEncoding.i(0x03, 3, 30, 29, layout.pool + 8 * index - layout.offset),
                FuzzEncoding.lui(29, 0x4_0020), FuzzEncoding.s(0x23, 3, 29, 30, 8 * page),
                FuzzEncoding.lui(29, 0x4_0000 + UInt32(page)), FuzzEncoding.sfence | (everything ? 0 : 29 << 15),
            ].flatMap(Self.halves)
        }
    }
}

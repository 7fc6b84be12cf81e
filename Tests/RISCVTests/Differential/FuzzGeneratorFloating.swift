// Floating point, and the state that a sequence starts from.
extension FuzzGenerator {
    private mutating func rounding() -> UInt32 {
        random.once(in: 20) ? 5 + random.word(below: 2) : random.pick([0, 1, 2, 3, 4, 7, 7, 7])
    }

    mutating func addFloating() {
        let format = random.word(below: 2)
        let (rd, rs1, rs2, rs3) = (register(), register(), register(), register())
        func operation(_ function5: UInt32, _ function3: UInt32, _ rd: UInt32, _ rs2: UInt32) -> UInt32 {
            FuzzEncoding.r(0x53, function5 << 2 | format, function3, rd, rs1, rs2)
        }
        let word: UInt32
        switch random.below(16) {
        case 0, 1, 2:
            let opcode = random.pick([0x43, 0x47, 0x4b, 0x4f] as [UInt32])
            word = FuzzEncoding.r(opcode, rs3 << 2 | format, rounding(), rd, rs1, rs2)
        case 3, 4, 5, 6: word = operation(random.word(below: 4), rounding(), rd, rs2)
        case 7: word = operation(0x0b, rounding(), rd, 0)
        case 8: word = operation(4, random.word(below: 3), rd, rs2)
        case 9: word = operation(5, random.word(below: 2), rd, rs2)
        case 10: word = operation(8, rounding(), rd, 1 - format)
        case 11: word = operation(0x14, random.word(below: 3), destination(), rs2)
        case 12, 13: word = halfPrecision(rd, rs1)
        case 14:
            word =
                random.once(in: 2)
                ? operation(0x18, rounding(), destination(), random.word(below: 4))
                : operation(0x1a, rounding(), rd, random.word(below: 4))
        default:
            word =
                random.once(in: 2)
                ? operation(0x1c, random.word(below: 2), destination(), 0) : operation(0x1e, 0, rd, 0)
        }
        add(words: [word])
    }

    /// Zfhmin but for loads and stores: conversions and moves.
    private mutating func halfPrecision(_ rd: UInt32, _ rs1: UInt32) -> UInt32 {
        let bits: UInt32
        switch random.below(6) {
        case 0: return FuzzEncoding.r(0x53, 0x72, 0, destination(), rs1, 0)
        case 1: return FuzzEncoding.r(0x53, 0x7a, 0, rd, rs1, 0)
        case 2: bits = 0x4020_0053
        case 3: bits = 0x4220_0053
        case 4: bits = 0x4400_0053
        default: bits = 0x4410_0053
        }
        return bits | rounding() << 12 | rs1 << 15 | rd << 7
    }

    /// Registers, memory, privilege and page tables.
    mutating func prepare() {
        for number in 1..<32 { sequence.block.setX(number, random.integer()) }
        sequence.block.setX(31, UInt64(random.below(3)))
        for number in 0..<32 { sequence.block.setF(number, random.floating()) }
        for offset in stride(from: 0x1000, to: 0x5000, by: 8) {
            sequence.block[word: offset] = random.once(in: 3) ? random.floating() : random.next()
        }
        sequence.block.fcsr = UInt64(random.below(5)) << 5 | UInt64(random.below(32))
        sequence.block.trapLimit = 24
        sequence.mode = random.pick([.machine, .machine, .machineAsOther, .supervisor, .supervisor, .user])
        var status: UInt64 = 3 << 13 | UInt64(random.below(4)) << 18
        switch sequence.mode {
        case .machine: status |= 3 << 11
        case .machineAsOther: status |= 3 << 11 | 1 << 17
        case .supervisor: status |= 1 << 11
        case .user: break
        }
        sequence.block.mstatus = status
        if sequence.mode.isTranslated { prepareTables() }
    }

    private mutating func prepareTables() {
        let levels = 3 + random.below(3)
        sequence.levels = UInt64(levels)
        let user: UInt64 = sequence.mode == .supervisor ? 0 : 1 << 4
        func table(_ number: Int) -> Int { FuzzSequence.tables + number * 0x1000 }
        func pointer(to number: Int) -> UInt64 { UInt64(table(number) >> 12) << 10 | 1 }
        func set(_ number: Int, _ index: Int, _ value: UInt64, relative: Bool) {
            sequence.entries.append((table(number) + 8 * index, value, relative))
        }
        for number in 0..<levels - 3 { set(number, 0, pointer(to: number + 1), relative: true) }
        // Code where it lies, in a gigapage.
        set(levels - 3, 2, 0x8_0000 << 10 | 0xcf | user, relative: false)
        let first = random.once(in: 15) ? strangePointer() : (pointer(to: levels - 2), true)
        set(levels - 3, 1, first.0, relative: first.1)
        let second = random.once(in: 15) ? strangePointer() : (pointer(to: levels - 1), true)
        set(levels - 2, 0, second.0, relative: second.1)
        for page in 0..<16 {
            let entry = leafEntry()
            set(levels - 1, page, entry.value, relative: entry.relative)
        }
        // The last table: to look at, and to write where an entry is changed on purpose.
        let own = UInt64(table(levels - 1) >> 12) << 10
        set(levels - 1, 16, own | 0xc3 | user, relative: true)
        set(levels - 1, 32, own | 0xc7 | user, relative: true)
        // A page that leads nowhere, sometimes by Svnapot. It lies where no store can cross into it from a page that may
        // be written: how much of that is done before the exception is left open.
        let nowhere = random.once(in: 2) ? UInt64(0x10_0000) << 10 : 0x10_0008 << 10 | 1 << 63
        set(levels - 1, 17, nowhere | 0xc7 | user, relative: false)
    }

    /// Where a pointer to the next table should be: reserved bits, leaves that are misaligned or lead nowhere.
    private mutating func strangePointer() -> (UInt64, Bool) {
        let pointer = UInt64(FuzzSequence.tables >> 12) << 10 | 1
        switch random.below(6) {
        case 0: return (0, false)
        case 1: return (pointer | 1 << random.pick([4, 6, 7]), true)
        case 2: return (pointer | 1 << UInt64(61 + random.below(3)), true)
        case 3: return (pointer | 4, true)
        case 4: return (pointer | 0xce, true)  // a misaligned superpage
        default: return (0x10_0000 << 10 | 0xcf | UInt64(random.below(2)) << 4, false)  // an empty part of the space
        }
    }

    /// A leaf: mostly useful, always different.
    mutating func leafEntry() -> (value: UInt64, relative: Bool) {
        var value: UInt64 = random.once(in: 20) ? 0 : 1
        value |= random.pick([3, 1, 7, 5, 7, 3, 4, 2, 6]) << 1
        let user: UInt64 = sequence.mode == .supervisor ? 0 : 1
        value |= (random.once(in: 4) ? 1 - user : user) << 4
        value |= UInt64(random.below(2)) << 5
        if !random.once(in: 3) { value |= 1 << 6 }
        if !random.once(in: 3) { value |= 1 << 7 }
        value |= UInt64(random.below(4)) << 8
        if random.once(in: 20) { value |= UInt64(1 + random.below(2)) << 61 }
        return (value | UInt64(1 + random.below(FuzzSequence.scratchPages)) << 10, true)
    }
}

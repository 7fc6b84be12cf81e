/// What a sequence runs under.
enum FuzzMode: CaseIterable {
    /// M-mode, no translation.
    case machine
    /// M-mode whose loads and stores are translated as a user's or a supervisor's (MPRV).
    case machineAsOther
    case supervisor
    case user

    var isTranslated: Bool { self != .machine }
}

/// A random sequence: items of fixed length, so that one can be replaced by nothing without moving the others.
struct FuzzSequence {
    struct Item {
        /// Bytes.
        let size: Int
        /// The machine code, given where the item and everything else of the sequence lies.
        let encode: (Layout) -> [UInt16]
    }

    /// Offsets from the first instruction.
    struct Layout {
        let offset: Int
        let items: [Int]
        let pool: Int
    }

    var mode = FuzzMode.machine
    var items: [Item] = []
    var removed: Set<Int> = []
    /// 64-bit constants behind the code; a relative one is a page-table entry that gets the block's page number.
    var pool: [(value: UInt64, relative: Bool)] = []
    /// The block with registers, memory and page tables, but for what depends on its place.
    var block = CaseBlock(count: FuzzSequence.blockSize)
    /// Page-table entries to write: offset in the block, value, and whether the block's page number is to be added.
    var entries: [(offset: Int, value: UInt64, relative: Bool)] = []
    var levels: UInt64 = 0
    /// Run as a guest of a hypervisor that maps its memory where it is, if the mode is below M.
    var isGuest = false

    /// Sv39x4 with VMID 1, and the root that the driver makes.
    private static let guestTables: UInt64 = 8 << 60 | 1 << 44 | 0x83E00

    // Pages of a block: registers, four pages of scratch, then a page table of each of up to five levels.
    static let scratchPages = 4
    static let tables = 0x5000
    static let blockSize = 0xa000

    /// Where translated scratch pages appear: page 0 up to 15, and the page of the last table at page 16.
    static let virtualBase: UInt64 = 0x4000_0000

    /// The code with its constants, ending in the ecall at `end`, for a block at an address.
    func code(block address: UInt64) -> (bytes: [UInt8], end: Int) {
        var offsets: [Int] = []
        var size = 0
        for item in items {
            offsets.append(size)
            size += item.size
        }
        let end = size
        let pool = (end + 4 + 7) & ~7
        var halves: [UInt16] = []
        for (index, item) in items.enumerated() {
            let layout = Layout(offset: offsets[index], items: offsets + [end], pool: pool)
            if removed.contains(index) {
                halves += [UInt16](repeating: FuzzEncoding.compressedNop, count: item.size / 2)
            } else {
                halves += item.encode(layout)
            }
        }
        halves += [UInt16(FuzzEncoding.ecall), 0]
        while halves.count * 2 < pool { halves.append(0) }
        for constant in self.pool {
            let word = constant.value &+ (constant.relative ? (address >> 12) << 10 : 0)
            halves += (0..<4).map { UInt16(truncatingIfNeeded: word >> (16 * UInt64($0))) }
        }
        return (halves.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }, end)
    }

    /// The block for code at `start` ending at `end`, itself at `address`.
    func block(at address: UInt64, start: UInt64, end: UInt64) -> CaseBlock {
        var block = block
        block.startPC = start
        block.endPC = end
        let page = address >> 12
        for entry in entries {
            block[word: entry.offset] = entry.value &+ (entry.relative ? page << 10 : 0)
        }
        if mode.isTranslated {
            block.satp = (levels + 5) << 60 | (page + UInt64(Self.tables >> 12))
            block.setX(8, Self.virtualBase + 0x1000)
            if isGuest {
                block.hgatp = Self.guestTables
                block.mstatus |= 1 << 39
            }
        } else {
            block.setX(8, address + 0x3000)
        }
        block.setX(9, block.inputX(8))
        return block
    }
}

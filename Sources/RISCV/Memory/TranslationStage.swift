/// A stage of address translation: page tables, and how they are read.
struct TranslationStage {
    enum Kind {
        /// A supervisor's, in physical memory.
        case supervisor
        /// A guest's (VS-stage), in guest-physical memory.
        case guest
        /// A hypervisor's (G-stage) from guest-physical addresses. Its root is four pages, for two more bits.
        case hypervisor
    }

    let kind: Kind
    /// The page number of the root.
    let root: UInt64
    let levels: UInt64
    /// Hardware sets A and D bits (Svadu), and entries may have memory types (Svpbmt).
    let updatesEntries: Bool
    let hasMemoryTypes: Bool

    private init(_ kind: Kind, _ pointer: UInt64, environment: UInt64) {
        self.kind = kind
        root = pointer & (1 << 44 - 1)
        // 3 for Sv39 and Sv39x4. Nothing is walked in mode 0.
        levels = pointer >> 60 &- 5
        updatesEntries = environment & Environment.adue != 0
        hasMemoryTypes = environment & Environment.pbmte != 0
    }

    static func supervisor(_ csr: borrowing ControlRegisters) -> TranslationStage {
        TranslationStage(.supervisor, csr.satp, environment: csr.menvcfg)
    }

    static func guest(satp: UInt64, environment: UInt64) -> TranslationStage {
        TranslationStage(.guest, satp, environment: environment)
    }

    static func hypervisor(_ csr: borrowing ControlRegisters) -> TranslationStage {
        TranslationStage(.hypervisor, csr.hypervisor.hgatp, environment: csr.menvcfg)
    }

    /// Whether an address has no bits that the tables do not translate.
    func covers(_ address: UInt64) -> Bool {
        let width = 12 + 9 * levels
        if kind == .hypervisor { return address >> (width + 2) == 0 }
        // The bits above the virtual address repeat its highest bit.
        let high = address.signed >> (width.signed - 1)
        return high == 0 || high == -1
    }

    /// The place of an address's entry in the table at a level.
    func index(of address: UInt64, level: UInt64) -> UInt64 {
        let isWide = kind == .hypervisor && level == levels - 1
        return address >> (12 + 9 * level) & (isWide ? 2047 : 511)
    }
}

/// What a walk throws when an entry forbids the access, and when an entry is in no memory.
struct WalkFaults {
    let page: Trap
    let access: Trap

    init(_ kind: AccessKind, address: UInt64) {
        page = Trap(kind.pageFault, value: address)
        access = Trap(kind.accessFault, value: address)
    }

    init(page: Trap, access: Trap) {
        self.page = page
        self.access = access
    }
}

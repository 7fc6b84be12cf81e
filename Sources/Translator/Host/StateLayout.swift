/// Where a front end keeps what generated code touches: byte offsets from the start of its guest state.
package struct StateLayout: Sendable {
    /// The slots that live in host registers while generated code runs, most important first; at most `pinnedCount`.
    package var pinned: [Slot]
    /// Instructions retired, and their number at which generated code has to leave. Both have 64 bits.
    package var retired = 0
    package var retiredLimit = 0
    /// Where generated code leaves the address to go on at.
    package var programCounter = 0
    /// Where a helper finds the address of its instruction.
    package var instructionAddress = 0
    /// 64 bits for the base of the page that relative code runs in.
    package var codePage = 0
    /// 64 bits for an `ExitReason`.
    package var exitReason = 0
    /// 64 bits that the slow paths of loads and stores set: 0 done, 1 there is a fault to take.
    package var accessFailed = 0
    /// Three words of 64 bits: the host address that is reserved or 0, the bytes, and the value that was loaded.
    package var reservation = 0
    package var memory = MemoryLayout()
    package var jumps = JumpLayout()
    package var floats = FloatLayout()
    /// What `Statement.require` can ask for.
    package var requirements: [Requirement] = []
    /// Slots from this one on are always in memory, where requirements look at them.
    package var firstMemorySlot = Slot(.max)

    package static let pinnedCount = HostRegisters.pinned.count
    /// How many steady bases a region can have.
    package static let steadyCount = 8

    package init(pinned: [Slot]) { self.pinned = pinned }

    /// A condition on memory.
    package enum Requirement: Sendable {
        /// One of the bits of `mask` is set in the 32 bits at `offset`.
        case anyBit(offset: Int, mask: UInt32)
        /// No bit of the 64 at offset `by` is set in one of `words`, or in one of `others`, which lie behind a pointer.
        case noneSelected(by: Int, words: [Int], pointer: Int, others: [Int])
    }

    /// The software TLB: entries of 32 bytes, found by the page number's low bits. An entry holds the virtual page that may
    /// be read, the one that may be written, and what to add to a virtual address to get the host's. Where there is no
    /// such page, it holds one that another entry is for.
    package struct MemoryLayout: Sendable {
        /// Offset of a pointer to the entries in use.
        package var entries = 0
        /// A power of two.
        package var count = 256
        /// The second level: offset of a pointer to it, number (a power of two), and what the low 32 bits of a page number are multiplied by
        /// to find an entry by the upper bits of the result. Its tags are pages with the present generation, 64 bits at an
        /// offset of the state, in the low 12 bits; pages that follow each other have different entries.
        package var secondEntries = 0
        package var secondCount = 4096
        package var secondFactor: UInt32 = 0
        package var generation = 0
        /// Pages that accesses by a steady base used last: two words of 64 bits each, for loads and stores by turns. A virtual
        /// page, or an odd multiple of 2048 when there is none, and what to add to a virtual address to get the host's.
        package var recent = 0
        /// 64 bits that are not 0 when there may be recent pages.
        package var recentUsed = 0
        /// Functions for what the TLB does not answer:
        /// `(state, address, bytes) -> value` and `(state, address, value, bytes)`. They set `accessFailed`.
        package var loadHelper: UInt = 0
        package var storeHelper: UInt = 0
        /// `(state, first address, last address, store) -> done`: enters the page that holds both addresses into the TLB,
        /// if there is one that allows it. 0 otherwise; it never sets `accessFailed`.
        package var pageHelper: UInt = 0
    }

    /// The jump cache: entries of 32 bytes, found by bits from bit 1 up of (address ^ address >> `hashShift`). An entry holds the address, the tag
    /// of the translation regime it is valid for, a word that is not ours, and where its code begins.
    package struct JumpLayout: Sendable {
        /// Offset of a pointer to the entries in use.
        package var entries = 0
        /// A power of two.
        package var count = 4096
        package var hashShift: UInt8 = 0
        /// Offset of the present tag.
        package var tag = 0
        /// The first word of a record that enters generated code; its code's address is in the word after the record's 24
        /// bytes. When a helper leaves the block with such a record, its code is what goes on.
        package var recordStart: UInt = 0
    }

    /// The guest's floating-point environment.
    package struct FloatLayout: Sendable {
        /// Offset of a 32-bit word that is 1 while the host's flags are the guest's to collect.
        package var ready = 0
        /// Offset of 32 bits for the host's control word.
        package var control = 0
        /// Offset of the byte that flags accrue in, and the guest's flags for each combination of the host's six.
        package var flags = 0
        package var flagTable: [UInt8] = Array(repeating: 0, count: 64)
        /// Generated code may compute when these 32-bit words of the state, masked, have these values.
        package var conditions: [(offset: Int, mask: UInt32, value: UInt32)] = []

        package init() {}
    }
}

/// Why generated code returned. The address to go on at is in `StateLayout.programCounter`, except for `helper`.
package enum ExitReason: UInt64, Sendable {
    /// A jump to code that is not known here.
    case jump = 0
    /// The limit of retired instructions is reached.
    case limit = 1
    /// A slow path of a load or store has a fault to take at the address.
    case fault = 2
    /// The interpreter has to execute at least one instruction at the address.
    case interpret = 3
    /// A helper left the block; its result is what the code returned.
    case helper = 4
    /// As `limit`, in a region.
    case regionLimit = 5
}

/// What the registers of the host are for while generated code runs.
enum HostRegisters {
    /// Points 128 bytes into the state, so that the first 32 slots have short displacements.
    static let state = Register.rbp
    static let stateBias = 128
    /// Instructions until the limit; negative when a block would exceed it.
    static let budget = Register.r15
    // rax, rcx and rdx are free within a statement.
    static let pinned: [Register] = [.rbx, .rsi, .rdi, .r8, .r9, .r10, .r11, .r12, .r13, .r14]
    // xmm0 and xmm1 are free within a statement.
    static let vectors: [Vector] = [
        .xmm2, .xmm3, .xmm4, .xmm5, .xmm6, .xmm7, .xmm8, .xmm9, .xmm10, .xmm11, .xmm12, .xmm13, .xmm14, .xmm15,
    ]
    /// In regions these hold the addends of pages that accesses share. Calls preserve them.
    static let shared: [Register] = [.r13, .r14]
}

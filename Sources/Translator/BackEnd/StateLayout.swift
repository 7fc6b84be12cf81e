/// The parts of a front end's guest state that generated code touches: byte offsets from the start of the state.
package struct StateLayout: Sendable {
    /// The slots that live in host registers while baseline code runs, most important first. A host takes as many as it has
    /// registers for.
    package var pinned: [Slot]
    /// Instructions retired, and their number at which generated code has to leave. Both have 64 bits.
    package var retired = 0
    package var retiredLimit = 0
    /// The address of the next instruction, when generated code leaves.
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
    package var memory = TLBLayout()
    package var jumps = JumpLayout()
    package var floats = FloatLayout()
    /// The conditions of `Statement.require`.
    package var requirements: [Requirement] = []
    /// Slots from this one on are always in memory, where requirements look at them, and vectors lie.
    package var firstMemorySlot = Slot(.max)
    /// The number, 1 or 2, that addresses of guest instructions are multiples of.
    package var codeAlignment = 2
    package var addressing = Addressing.pages

    package init(pinned: [Slot]) { self.pinned = pinned }

    /// How guest addresses become host addresses.
    package enum Addressing: Sendable {
        /// By the software TLB in `memory`.
        case pages
        /// Guest address 0 is at a host address. The state holds that and the number of bytes, not less than 16, at these
        /// offsets. Accesses outside go to the helpers of `memory`.
        case flat(base: Int, size: Int)
    }

    /// A condition on memory.
    package enum Requirement: Sendable {
        /// One of the bits of `mask` is set in the 32 bits at `offset`.
        case anyBit(offset: Int, mask: UInt32)
        /// No bit of the 64 at offset `by` is set in one of `words`, or in one of `others`, which lie behind a pointer.
        case noneSelected(by: Int, words: [Int], pointer: Int, others: [Int])
    }

    /// The software TLB: entries of 32 bytes, found by the page number's low bits. An entry holds the virtual page that may
    /// be read, the virtual page that may be written, and the host address less the virtual one. Where there is no
    /// such page, it holds one that another entry is for.
    package struct TLBLayout: Sendable {
        /// Offset of a pointer to the entries in use.
        package var entries = 0
        /// A power of two.
        package var count = 256
        /// The second level: offset of a pointer to it, number (a power of two), and a factor: the upper bits of its product
        /// with the low 32 bits of a page number are the entry's number. Its tags are pages with the present generation, 64 bits at
        /// an offset of the state, in the low 12 bits; pages that follow each other have different entries.
        package var secondEntries = 0
        package var secondCount = 4096
        package var secondFactor: UInt32 = 0
        package var generation = 0
        /// Pages that accesses by a steady base used last: two words of 64 bits each, for loads and stores by turns. A virtual
        /// page, or an odd multiple of 2048 when there is none, and the host address less the virtual one.
        package var recent = 0
        /// 64 bits that are not 0 when there may be recent pages.
        package var recentUsed = 0
        /// Functions for pages that the TLB does not hold:
        /// `(state, address, bytes) -> value` and `(state, address, value, bytes)`. They set `accessFailed`.
        package var loadHelper: UInt = 0
        package var storeHelper: UInt = 0
        /// `(state, first address, last address, store) -> done`: enters the page that holds both addresses into the TLB,
        /// if there is one that allows it. 0 otherwise; it never sets `accessFailed`.
        package var pageHelper: UInt = 0

        // Bytes of an entry, and where its words are.
        package static let entrySize = 32
        package static let readTag = 0
        package static let writeTag = 8
        package static let addend = 16
    }

    /// The jump cache: entries of 32 bytes, found by bits from bit 1 up of (address ^ address >> `hashShift`). An entry holds the
    /// address, the tag of the translation regime that it is valid for, a word that is not for generated code, and the host address of
    /// its code.
    package struct JumpLayout: Sendable {
        /// Offset of a pointer to the entries in use.
        package var entries = 0
        /// A power of two.
        package var count = 4096
        package var hashShift: UInt8 = 0
        /// Offset of the present tag.
        package var tag = 0
        /// Offset of a pointer to the last entry of the return stack, a ring of `returnCount` entries of 16 bytes: the address that a
        /// call returns to, or an odd one, and the host address of the code there. The ring is aligned to twice its size. Nil where
        /// there is none.
        package var returnTop: Int?
        /// Offset of a pointer to the pages in use, from which code was fetched: entries of 32 bytes, found by the page number's low
        /// bits. An entry holds the virtual page, the tag, and the guest-physical page. `pageCount` is a power of two.
        package var pages = 0
        package var pageCount = 1024
        /// What is asked for an address that the entries do not hold; nil where the processor leaves for the run loop at once.
        package var second: SecondLevel?
        /// The first word of a record that enters generated code; its code's address is in the word after the record's 24
        /// bytes. When a helper leaves the block with such a record, its code is entered.
        package var recordStart: UInt = 0

        // Bytes of an entry, and where its words are.
        package static let entrySize = 32
        package static let addressOffset = 0
        package static let tagOffset = 8
        package static let recordOffset = 16
        package static let codeOffset = 24
        package static let returnCount = 32
        // Bytes of a page, and where its words are.
        package static let pageSize = 32
        package static let virtualOffset = 0
        package static let pageTagOffset = 8
        package static let physicalOffset = 16

        /// Entries of 32 bytes for all translation regimes, found by (address ^ address >> `hashShift`) >> `lowBit` of a guest-physical
        /// address. An entry holds that address, the virtual page that its code is for or `anyPage`, the generation in which the code
        /// agreed with guest memory, and the address of the code's record.
        package struct SecondLevel: Sendable {
            /// Offset of a pointer to the entries.
            package let entries: Int
            /// A power of two.
            package let count: Int
            package let lowBit: UInt8
            package let hashShift: UInt8
            package let anyPage: Int32
            /// Offset of the present generation.
            package let generation: Int

            package init(
                entries: Int, count: Int, lowBit: UInt8, hashShift: UInt8, anyPage: Int32, generation: Int
            ) {
                self.entries = entries
                self.count = count
                self.lowBit = lowBit
                self.hashShift = hashShift
                self.anyPage = anyPage
                self.generation = generation
            }

            // Bytes of an entry, and where its words are.
            package static let entrySize = 32
            package static let addressOffset = 0
            package static let pageOffset = 8
            package static let generationOffset = 16
            package static let codeOffset = 24
        }
    }

    /// The guest's floating-point environment.
    package struct FloatLayout: Sendable {
        /// Offset of a 32-bit word that is 1 while the host's flags are the guest's to collect.
        package var ready = 0
        /// Offset of 32 bits for the host's control word.
        package var control = 0
        /// Offset of the byte that flags accrue in, and the guest's bits for the exceptions of IEEE 754.
        package var flags = 0
        package var flagBits = FlagBits()
        /// Generated code may compute when these 32-bit words of the state, masked, have these values.
        package var conditions: [(offset: Int, mask: UInt32, value: UInt32)] = []

        package init() {}

        /// The bit of each exception in the guest's byte of flags; 0 for an exception that the guest does not have.
        package struct FlagBits: Sendable {
            package var invalid: UInt8 = 0
            package var divisionByZero: UInt8 = 0
            package var overflow: UInt8 = 0
            package var underflow: UInt8 = 0
            package var inexact: UInt8 = 0

            package init() {}
        }
    }
}

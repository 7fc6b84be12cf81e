internal import GuestMemory
internal import Machine
internal import TranslationRuntime

/// Privilege modes with their encodings (Privileged Architecture 1.2).
package enum PrivilegeMode: UInt8, Sendable, Comparable {
    case user = 0
    case supervisor = 1
    case machine = 3

    package static func < (left: PrivilegeMode, right: PrivilegeMode) -> Bool { left.rawValue < right.rawValue }
}

/// All that a hart is while it runs: registers, CSRs, and the caches derived from them.
///
/// It lives at a fixed address for the life of the hart, and only the thread that runs the hart touches it. What other
/// threads may touch is in `HartSignals`.
///
/// Methods that run often are `mutating` even where they only read: to borrow a noncopyable value through a pointer, the
/// compiler copies all of it.
struct HartState: ~Copyable {
    // Architectural registers.

    /// x0 to x31; the element at `sink` takes what is written to x0.
    var x = InlineArray<33, UInt64>(repeating: 0)
    /// f0 to f31; singles are NaN-boxed.
    var f = InlineArray<32, UInt64>(repeating: 0)
    /// The next instruction, while no block executes.
    var pc: UInt64 = 0
    var privilege = PrivilegeMode.machine
    /// The hart executes a guest of its hypervisor (V): VS-mode or VU-mode. Changed by `setVirtual`.
    var isVirtual = false
    var csr = ControlRegisters()
    var protection = MemoryProtection()
    /// The memory that LR reserved, and the value it read.
    var reservation = Reservation()

    // Execution.

    /// Virtual address of the first instruction of the block that executes.
    var blockAddress: UInt64 = 0
    /// Instructions retired since the hart was made. `csr.instretOffset` turns it into minstret.
    var retired: UInt64 = 0
    /// The number of retired instructions at which the run loop looks at the clock.
    var pollAt: UInt64 = 0
    /// Instructions between two looks at the clock: some ten microseconds.
    var pollInterval: UInt64 = 4096
    /// An exception that a slow path found and the handler is about to take.
    var pendingTrap = Trap(.illegalInstruction, value: 0)
    /// Why the interpreter's loop ended, when it was not for `HartSignals.attention`.
    var leaving = Leaving.attention
    /// An ECALL from S-mode goes to the VMM's SBI instead of a trap handler in M-mode.
    var answersSupervisorCalls = false
    /// `localInterrupts` as of the last look at the clock.
    var localPending: UInt64 = 0
    /// Loads and stores go to the guest's memory: an HLV or HSV executes.
    var usesGuestMemory = false

    // Caches.

    var spaces = RecentAddressSpaces()
    var guests = RecentGuests()
    var data: SoftwareTLB
    var fetch: JumpCache
    var blocks: BlockCache
    /// Nil where stores that other harts make would go unnoticed.
    var codeWatch: CodeWatch?

    /// The engine in it is nil when the interpreter does everything.
    var translation = TranslationState()

    // The surroundings. They outlive the state: `Hart` owns both.

    let index: Int
    var signals: UnsafePointer<HartSignals>
    let addressSpace: AddressSpace
    let timeBase: TimeBase
    let pagingMode: PagingMode
    /// The hart has the hypervisor extension.
    let hasHypervisor: Bool
    let extensions: ExtensionSet
    /// The hart has Smaia or Ssaia.
    let hasAdvancedInterrupts: Bool
    /// The number of guest interrupt files (GEILEN), 0 to 63.
    let guestFileCount: Int
    /// Nil without interrupt files.
    var interruptFiles: InterruptFiles?
    /// Host address of guest-physical 0, for addresses inside the first memory range.
    let memoryBase: UnsafeMutableRawPointer
    let memoryStart: UInt64
    let memorySize: UInt64

    /// The element of `x` that stands for x0 as a destination.
    static let sink: UInt8 = 32
    /// Where `csr` begins, in bytes.
    static let controlOffset = 67 * 8

    init(
        index: Int, addressSpace: AddressSpace, timeBase: TimeBase, signals: UnsafePointer<HartSignals>,
        pagingMode: PagingMode, extensions: ExtensionSet, hasHypervisor: Bool, guestFileCount: Int, isAlone: Bool
    ) {
        self.index = index
        self.hasHypervisor = hasHypervisor
        self.extensions = extensions
        hasAdvancedInterrupts = extensions.contains(.smaia) || extensions.contains(.ssaia)
        self.guestFileCount = hasHypervisor ? guestFileCount : 0
        data = SoftwareTLB.ofHart(hasHypervisor: hasHypervisor)
        fetch = JumpCache.ofHart(hasHypervisor: hasHypervisor)
        self.addressSpace = addressSpace
        self.timeBase = timeBase
        self.pagingMode = pagingMode
        self.signals = signals
        let range = addressSpace.memory.ranges[0]
        memoryStart = range.base
        memorySize = range.size
        memoryBase = addressSpace.memory.hostBase + Int(range.offset) - Int(range.base)
        blocks = BlockCache(extensions)
        codeWatch = isAlone ? CodeWatch(addressSpace.memory) : nil
    }

    /// The host address of `count` bytes of guest memory at a guest-physical address, or nil for devices and holes.
    @inline(__always)
    func hostAddress(of address: UInt64, count: UInt64) -> UnsafeMutableRawPointer? {
        let offset = address &- memoryStart
        if offset < memorySize, count <= memorySize - offset { return memoryBase + Int(address) }
        return addressSpace.memory.hostAddress(of: address, count: count)
    }
}

/// Why the interpreter's loop gave control back to the hart.
enum Leaving {
    /// Interrupts, requests of other threads, or time to look at the clock.
    case attention
    /// WFI with nothing pending.
    case waitForInterrupt
    /// An ECALL from S-mode that the VMM answers itself.
    case environmentCall
}

/// A load reservation (Unprivileged Architecture 14.2).
struct Reservation {
    /// Host address; 0 when there is no reservation.
    var address: UInt = 0
    /// Bytes: 4 or 8.
    var size: UInt = 0
    /// The low `size` bytes are what LR read.
    var value: UInt64 = 0

    var isValid: Bool { address != 0 }

    mutating func clear() { address = 0 }
}

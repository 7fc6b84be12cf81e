import Support

/// Everything the hypervisor knows. It lies in a chunk of its own; all of it is protected by the kernel lock.
struct Hypervisor {
    static let mostVCPUs = 64

    var board: Board
    let harts: UnsafeMutablePointer<hv_hart>
    let vcpus: UnsafeMutablePointer<hv_vcpu>
    let guests: UnsafeMutablePointer<Guest>
    let disks: UnsafeMutablePointer<DiskDriver>
    let card: UnsafeMutablePointer<NetworkDriver>
    /// The descriptor chain in hand, and 2 KiB for a frame or a request's header that was copied out of a guest.
    let chain: UnsafeMutablePointer<Chain>
    let staging: UInt64
    var diskCount = 0
    /// Interrupts of the console, the disks and the card, each with its hart.
    var routes = InlineArray<10, (interrupt: BoardInterrupt, hart: UInt32)>(repeating: (BoardInterrupt(), 0))
    var routeCount = 0
    var table: GuestTable?
    var scheduler: Scheduler
    /// Guests for which `Guest.hasWork` may be true, now or later.
    var unsettledGuests = 0
    var console = Console()
    var monitor = Monitor()
    var seeds = SeedGenerator()
    /// Values of CSRs that every hart gets.
    var satp: UInt64 = 0
    /// hgatp has VMIDs: else every change of the guest flushes translations.
    var hasVMIDs = false
    /// Large, so that it comes last: fields behind it would be out of reach of a load's offset.
    var memory = ChunkAllocator()

    var guestCount: Int { table?.count ?? 0 }
    var isPartitioned: Bool { table?.isPartitioned ?? false }
}

/// The hypervisor's state; nil until the boot hart has made it.
///
/// Invariant: the boot hart writes it once, before any other hart starts. Readers hold the kernel lock, or are that hart at boot.
nonisolated(unsafe) var hypervisorState: UnsafeMutablePointer<Hypervisor>?

/// The state, for all code that runs after boot made it.
var hypervisor: UnsafeMutablePointer<Hypervisor> { hypervisorState.unsafelyUnwrapped }

/// A name for a vCPU's structure, whose place in the table is its identity.
typealias VCPU = UnsafeMutablePointer<hv_vcpu>
typealias Hart = UnsafeMutablePointer<hv_hart>

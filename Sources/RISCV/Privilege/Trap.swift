/// Exception codes of `mcause` and `scause` (Privileged Architecture, table 14).
package enum ExceptionCause: UInt64, Sendable {
    case instructionMisaligned = 0
    case instructionAccessFault = 1
    case illegalInstruction = 2
    case breakpoint = 3
    case loadMisaligned = 4
    case loadAccessFault = 5
    case storeMisaligned = 6
    case storeAccessFault = 7
    case callFromUser = 8
    case callFromSupervisor = 9
    case callFromGuestSupervisor = 10
    case callFromMachine = 11
    case instructionPageFault = 12
    case loadPageFault = 13
    case storePageFault = 15
    case instructionGuestPageFault = 20
    case loadGuestPageFault = 21
    case virtualInstruction = 22
    case storeGuestPageFault = 23

    /// The exceptions whose trap value is a virtual address.
    var hasAddress: Bool { 1 << rawValue & Self.withAddress != 0 }
    /// Those of them that loads and stores raise.
    var isOfData: Bool { 1 << rawValue & Self.ofData != 0 }

    private static let ofData = mask(
        .loadMisaligned, .loadAccessFault, .storeMisaligned, .storeAccessFault, .loadPageFault, .storePageFault,
        .loadGuestPageFault, .storeGuestPageFault)
    private static let withAddress =
        ofData
        | mask(
            .instructionMisaligned, .instructionAccessFault, .breakpoint, .instructionPageFault,
            .instructionGuestPageFault)

    private static func mask(_ causes: ExceptionCause...) -> UInt64 { causes.reduce(0) { $0 | 1 << $1.rawValue } }
}

/// An exception on its way to a trap handler.
struct Trap: Error, Equatable {
    let cause: ExceptionCause
    /// The value of `mtval`, `stval` or `vstval`.
    var value: UInt64
    /// The guest-physical address of a guest-page fault.
    private(set) var guestPhysical: UInt64 = 0
    /// The value of `htinst` for a fault in the VS-stage's page tables (Privileged Architecture, table "Special
    /// pseudoinstructions for guest-page faults"); 0 for other faults.
    private(set) var pseudoinstruction: UInt64 = 0
    /// The instruction accessed guest memory from outside the guest, so that the value is a guest-virtual address.
    var isFromOutside = false

    init(_ cause: ExceptionCause, value: UInt64) {
        self.cause = cause
        self.value = value
    }

    /// A fault of the G-stage for an access to the virtual address `value`.
    init(guestPageFault kind: AccessKind, value: UInt64, guestPhysical: UInt64, pseudoinstruction: UInt64) {
        self.init(kind.guestPageFault, value: value)
        self.guestPhysical = guestPhysical
        self.pseudoinstruction = pseudoinstruction
    }
}

/// What a memory access is for; it selects permissions and exception causes.
enum AccessKind {
    case load, store, fetch

    var misaligned: ExceptionCause {
        switch self {
        case .load: .loadMisaligned
        case .store: .storeMisaligned
        case .fetch: .instructionMisaligned
        }
    }

    var accessFault: ExceptionCause {
        switch self {
        case .load: .loadAccessFault
        case .store: .storeAccessFault
        case .fetch: .instructionAccessFault
        }
    }

    var pageFault: ExceptionCause {
        switch self {
        case .load: .loadPageFault
        case .store: .storePageFault
        case .fetch: .instructionPageFault
        }
    }

    var guestPageFault: ExceptionCause {
        switch self {
        case .load: .loadGuestPageFault
        case .store: .storeGuestPageFault
        case .fetch: .instructionGuestPageFault
        }
    }
}

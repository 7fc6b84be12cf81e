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
    case callFromMachine = 11
    case instructionPageFault = 12
    case loadPageFault = 13
    case storePageFault = 15
}

/// An exception on its way to a trap handler: the cause, and what goes into `mtval` or `stval`.
struct Trap: Error, Equatable {
    let cause: ExceptionCause
    let value: UInt64

    init(_ cause: ExceptionCause, value: UInt64) {
        self.cause = cause
        self.value = value
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
}

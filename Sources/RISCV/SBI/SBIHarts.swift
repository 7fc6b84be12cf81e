internal import GuestMemory

// Calls about other harts: IPI, RFENCE and HSM.

/// What the calling hart asks of its own suspension (SBI 2.0, table 9). Other types are reserved, or a platform's own.
private enum SuspendType {
    static let retentive: UInt32 = 0
    static let nonRetentive: UInt32 = 0x8000_0000
}

extension SBI {
    private static let supervisorSoftwareInterrupt = 1

    /// SBI 2.0, chapter 7.
    func interrupt(_ function: UInt32, _ arguments: SBIArguments) throws(SBIError) -> UInt64 {
        guard function == 0 else { throw .notSupported }
        for hart in try harts(mask: arguments[0], base: arguments[1]) where isInterruptible(hart) {
            hart.setInterrupt(Self.supervisorSoftwareInterrupt, level: true)
        }
        return 0
    }

    /// A stopped hart has no interrupts; it would find one pending when it starts.
    private func isInterruptible(_ hart: any SBIHart) -> Bool { hart.lifeState != .stopped }

    /// SBI 2.0, chapter 8. A fence may cover more than the call asks for, so that ranges need no check.
    func remoteFence(
        _ function: UInt32, _ arguments: SBIArguments, on caller: any SBIHart
    ) throws(SBIError) -> UInt64 {
        let fence: RemoteFence
        switch (function, caller.guestIdentifier) {
        case (0, _): fence = .instructions
        // SFENCE.VMA; in all address spaces, or in those with an ASID.
        case (1, _): fence = Self.pages(arguments) ?? .everything
        case (2, _): fence = Self.pages(arguments) ?? .addressSpaces(identifier: arguments[4] & 0xFFFF)
        // HFENCE.GVMA; of the guest with a VMID, or of all. Guest-physical addresses have no fences of their own.
        case (3, .some): fence = .guests(identifier: arguments[4] & 0x3FFF)
        case (4, .some): fence = .guests(identifier: nil)
        // HFENCE.VVMA of the caller's guest; in address spaces with an ASID, or in all.
        case (5, let guest?):
            fence = Self.pages(arguments) ?? .guestAddressSpaces(guest: guest, identifier: arguments[4] & 0xFFFF)
        case (6, let guest?): fence = Self.pages(arguments) ?? .guests(identifier: guest)
        default: throw .notSupported
        }
        // All of them work on it at once.
        let requests = try harts(mask: arguments[0], base: arguments[1]).map { ($0, $0.requestFence(fence)) }
        for (hart, request) in requests { hart.waitForFence(request) }
        return 0
    }

    /// The fence for pages from the third argument's address on, of as many bytes as the fourth says; nil where one for more costs
    /// less.
    private static func pages(_ arguments: SBIArguments) -> RemoteFence? {
        let (start, size) = (arguments[2], arguments[3])
        let (end, overflows) = start.addingReportingOverflow(size)
        let isEverything = size == 0 && start == 0 || size == .max || overflows
        if !isEverything, end > start {
            let first = start >> 12
            let count = (end - 1) >> 12 - first + 1
            if count <= RemoteFence.pageLimit { return .pages(first: first << 12, count: Int(count)) }
        }
        return nil
    }

    /// SBI 2.0, chapter 9.
    func hartState(
        _ function: UInt32, _ arguments: SBIArguments, on caller: any SBIHart
    ) throws(SBIError) -> UInt64 {
        switch function {
        case 0:
            let hart = try hart(arguments[0])
            guard isExecutable(arguments[1]) else { throw .invalidAddress }
            guard hart.start(at: arguments[1], opaque: arguments[2]) else { throw .alreadyAvailable }
            return 0
        case 1:
            caller.stop()
            return 0
        case 2: return try hart(arguments[0]).lifeState.sbiState
        case 3:
            switch arguments.word(0) {
            case SuspendType.retentive: caller.suspend(resume: nil)
            case SuspendType.nonRetentive:
                guard isExecutable(arguments[1]) else { throw .invalidAddress }
                caller.suspend(resume: (address: arguments[1], opaque: arguments[2]))
            default: throw .invalidParameter
            }
            return 0
        default: throw .notSupported
        }
    }

    /// Whether a hart may begin at a guest-physical address: in memory, where an instruction can be.
    func isExecutable(_ address: UInt64) -> Bool {
        address % 2 == 0 && memory.hostAddress(of: address, count: 2) != nil
    }
}

extension HartLife {
    /// SBI 2.0, table 8.
    fileprivate var sbiState: UInt64 {
        switch self {
        case .started: 0
        case .stopped: 1
        case .starting: 2
        case .suspended, .suspendedRetentively: 4
        case .resuming: 6
        }
    }
}

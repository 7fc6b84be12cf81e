internal import Machine

// Calls about the whole machine: SRST and SUSP.

private enum ResetType {
    static let shutdown: UInt32 = 0
    static let coldReboot: UInt32 = 1
    static let warmReboot: UInt32 = 2
}

private enum ResetReason {
    static let none: UInt32 = 0
    static let systemFailure: UInt32 = 1
}

extension SBI {
    /// What a shutdown because of a system failure is reported as.
    package static let systemFailureCode: UInt16 = 1

    /// SBI 2.0, chapter 10.
    func systemReset(
        _ function: UInt32, _ arguments: SBIArguments, on hart: any SBIHart
    ) throws(SBIError) -> UInt64 {
        guard function == 0 else { throw .notSupported }
        let reason = arguments.word(1)
        guard reason == ResetReason.none || reason == ResetReason.systemFailure else { throw .invalidParameter }
        switch arguments.word(0) {
        case ResetType.shutdown:
            let failed = reason == ResetReason.systemFailure
            end(failed ? .failure(code: Self.systemFailureCode) : .powerOff, calledBy: hart)
        // The board has one kind of reset; but a guest may use the other one to tell of its end.
        case ResetType.warmReboot where warmResetIsPanic: end(.panic, calledBy: hart)
        case ResetType.coldReboot, ResetType.warmReboot: end(.reset, calledBy: hart)
        default: throw .invalidParameter
        }
        return 0
    }

    /// Reports the end of this run of the machine. The call does not return, as far as the guest can see.
    func end(_ event: SystemEvent, calledBy hart: any SBIHart) {
        // First, because the event may reset the hart, which starts it again.
        hart.stop()
        systemEvent(event)
    }

    /// SBI 2.0, chapter 13: with all other harts stopped, the last one waits for an interrupt that wakes the system.
    func systemSuspend(
        _ function: UInt32, _ arguments: SBIArguments, on caller: any SBIHart
    ) throws(SBIError) -> UInt64 {
        let suspendToMemory: UInt32 = 0
        guard function == 0 else { throw .notSupported }
        guard arguments.word(0) == suspendToMemory else { throw .invalidParameter }
        guard isExecutable(arguments[1]) else { throw .invalidAddress }
        for index in 0..<hartCount where index != caller.index {
            guard try hart(UInt64(index)).lifeState == .stopped else { throw .denied }
        }
        caller.suspend(resume: (address: arguments[1], opaque: arguments[2]))
        return 0
    }
}

package import Aerie

/// The kind of a machine's end, as `outcome` of status files and of the control protocol has it: a case of `VirtualMachine.Outcome`.
package enum EndKind: String, CaseIterable, Sendable {
    case poweredOff, failed, reset, panicked, watchdogExpired, crashed, stopped

    package init(_ outcome: VirtualMachine.Outcome) {
        self =
            switch outcome {
            case .poweredOff: .poweredOff
            case .failed: .failed
            case .reset: .reset
            case .panicked: .panicked
            case .watchdogExpired: .watchdogExpired
            case .crashed: .crashed
            case .stopped: .stopped
            }
    }
}

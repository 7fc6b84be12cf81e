internal import Machine

extension VirtualMachine {
    /// How a virtual machine ended.
    public enum Outcome: Equatable, Sendable {
        /// The guest switched the machine off.
        case poweredOff
        /// The guest reported a failure with this code, and the machine is off.
        case failed(code: Int)
        /// The guest asked for a reset, which the configuration turns into an end.
        case reset
        /// The machine could not go on, for this reason.
        case crashed(String)
        /// `kill` ended it.
        case stopped
    }
}

/// The states of a virtual machine.
enum MachineLifecycle: Equatable {
    /// Built, nothing started.
    case created
    case running
    /// vCPUs stand still between two instructions, and devices are quiet.
    case paused
    /// vCPUs are being stopped, to reset or to end.
    case ending
    case ended(VirtualMachine.Outcome)

    var name: String {
        switch self {
        case .created: "created"
        case .running: "running"
        case .paused: "paused"
        case .ending: "ending"
        case .ended: "ended"
        }
    }
}

extension VirtualMachine {
    /// How a virtual machine ended.
    public enum Outcome: Equatable, Sendable {
        /// The guest switched the machine off.
        case poweredOff
        /// The guest reported a failure with this code, and the machine is off.
        case failed(code: Int)
        /// The guest asked for a reset, which the configuration turns into an end.
        case reset
        /// The guest's kernel reported a panic.
        case panicked
        /// The guest did not serve its watchdog in time.
        case watchdogExpired
        /// The machine could not start or could not continue, for this reason.
        case crashed(String)
        /// `kill` ended it.
        case stopped
    }
}

extension VirtualMachine.Outcome {
    /// The reason why the guest is dead without Aerie's doing; nil for other outcomes.
    package var deathOfTheGuest: String? {
        switch self {
        case .panicked: "its kernel panicked"
        case .watchdogExpired: "it did not serve its watchdog in time"
        case .poweredOff, .failed, .reset, .crashed, .stopped: nil
        }
    }

    /// For the log.
    var text: String {
        switch self {
        case .poweredOff: "the guest powered off"
        case .failed(let code): "the guest reported failure \(code)"
        case .reset: "the guest asked for a reset"
        case .panicked: "the guest's kernel panicked"
        case .watchdogExpired: "the guest did not serve its watchdog"
        case .crashed(let reason): "crash: \(reason)"
        case .stopped: "killed"
        }
    }
}

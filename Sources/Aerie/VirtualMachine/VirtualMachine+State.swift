internal import HostSystem

extension VirtualMachine {
    /// The state of a virtual machine.
    public enum State: Equatable, Sendable {
        /// Built; nothing has started.
        case created
        /// Devices and vCPUs are being started.
        case starting
        /// The guest runs.
        case running
        /// vCPUs stand still, and devices are quiet.
        case paused
        /// The machine is being ended.
        case stopping
        /// The machine has ended.
        case ended(Outcome)
    }

    /// The state at this moment.
    public var currentState: State { state.withLock { State($0.lifecycle) } }

    /// Waits until the machine's state is another one than `known`, and returns it. Short states in between may be missed. After the end,
    /// it returns at once.
    package func waitForState(other known: State) -> State {
        let found = state.wait { state -> State? in
            let found = State(state.lifecycle)
            if case .ended = found { return found }
            return found == known ? nil : found
        }
        return found ?? known
    }

    /// Waits until the agent in the guest has announced itself.
    ///
    /// - Parameter deadline: nanoseconds of `HostClock.monotonic`.
    /// - Returns: false when the deadline passed first.
    package func waitForAgent(until deadline: UInt64) -> Bool { control.waitForAgent(until: deadline) }

    /// Whether the agent in the guest has announced itself since the guest's last start.
    package var isAgentReady: Bool { control.isAgentReady }
}

extension VirtualMachine.State {
    init(_ lifecycle: MachineLifecycle) {
        self =
            switch lifecycle {
            case .created: .created
            case .starting: .starting
            case .running: .running
            case .paused: .paused
            case .ending: .stopping
            case .ended(let outcome, _): .ended(outcome)
            }
    }
}

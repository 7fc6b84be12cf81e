#if arch(x86_64)
    internal import CKVM
    internal import HostSystem
    package import Machine

    /// A vCPU of x86-64 that the host's processor executes.
    ///
    /// Interrupts arrive in the kernel; what leaves it are accesses to devices and whatever cannot go on.
    package final class X86Processor: @unchecked Sendable {
        // @unchecked: `powerOn`, `processors` and `stoppedTime` are only used while no thread is in `run`, as the protocol demands.
        package let index: Int
        let vcpu: VCPU
        let machine: KVMMachine
        let addressSpace: AddressSpace
        let ports: PortSpace
        let events: SystemEventHandler
        /// The model-specific registers that are part of the state, in the order in which they are set.
        let stateRegisters: [UInt32]
        private let count: Int
        private(set) var processors: X86Processors
        /// The state that `reset` returns to: the one in which the kernel made the vCPU.
        private var powerOn = X86State()
        /// Time as it was when the machine was paused; nil while it runs.
        var stoppedTime: StoppedTime?

        /// Makes vCPU `index` of `count`, in the state of power-on: the first one at the reset vector, the others waiting to
        /// be started.
        package init(
            index: Int, count: Int, machine: KVMMachine, processors: X86Processors, system: borrowing KVMSystem,
            addressSpace: AddressSpace, ports: PortSpace, events: @escaping SystemEventHandler
        ) throws(KVMError) {
            let limit = system.mostProcessors
            guard count <= limit else { throw .tooManyProcessors(asked: count, limit: limit) }
            self.index = index
            self.count = count
            self.machine = machine
            self.addressSpace = addressSpace
            self.ports = ports
            self.events = events
            self.processors = processors
            vcpu = try VCPU(machine, identifier: index)
            try vcpu.setProcessors(processors.leaves(of: index, in: count))
            stateRegisters = try vcpu.usableRegisters(
                of: X86ModelSpecific.candidates(try vcpu.supportedRegisters(system)))
            powerOn = try state()
        }

        // MARK: State

        /// Everything the vCPU is.
        package func state() throws(KVMError) -> X86State {
            var state = try vcpu.state(registers: stateRegisters)
            guard let stoppedTime else { return state }
            if let localAPIC = stoppedTime.localAPIC { state.localAPIC = localAPIC }
            for index in state.modelSpecific.indices {
                switch state.modelSpecific[index].index {
                case X86ModelSpecific.timeStampCounter: state.modelSpecific[index].value = stoppedTime.counter
                case X86ModelSpecific.timerDeadline:
                    if let deadline = stoppedTime.deadline { state.modelSpecific[index].value = deadline }
                default: break
                }
            }
            return state
        }

        package func setState(_ state: X86State) throws(KVMError) {
            stoppedTime?.localAPIC = nil
            try vcpu.setState(state)
        }

        /// The state of power-on, for a start from somewhere else than the reset vector.
        package var initialState: X86State {
            var state = powerOn
            // Time goes on over a reset.
            state.modelSpecific.removeAll { $0.index == X86ModelSpecific.timeStampCounter }
            return state
        }

        /// Takes the features of a saved vCPU over, which this host must have.
        func adopt(_ saved: X86Processors) throws(KVMError) {
            guard saved != processors else { return }
            if let feature = processors.missingFeature(of: saved) { throw .unsupportedProcessor(feature) }
            try vcpu.setProcessors(saved.leaves(of: index, in: count))
            processors = saved
        }
    }
#endif

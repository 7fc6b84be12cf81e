#if arch(x86_64)
    internal import CKVM
    internal import HostSystem
    package import Machine

    /// An x86-64 vCPU on KVM.
    ///
    /// The kernel delivers interrupts. Exits to this process are accesses to devices, and failures.
    package final class X86Processor: @unchecked Sendable {
        // @unchecked: `powerOnState`, `cpuid` and `stoppedTime` are used only while no thread is in `run`, as the protocol demands.
        package let index: Int
        let vcpu: VCPU
        let machine: KVMMachine
        let addressSpace: AddressSpace
        let ports: PortSpace
        let events: SystemEventHandler
        /// The MSRs of the vCPU's state, in the order of writing.
        let savedMSRs: [UInt32]
        private let count: Int
        private(set) var cpuid: CPUIDModel
        /// The vCPU's state at its creation.
        private var powerOnState = X86State()
        /// The vCPU's time when the machine was paused; nil while it runs.
        var stoppedTime: StoppedTime?

        /// Creates vCPU `index` of `count` in its power-on state: vCPU 0 at the reset vector, the others waiting for INIT and SIPI.
        package init(
            index: Int, count: Int, machine: KVMMachine, cpuid: CPUIDModel, system: borrowing KVMSystem,
            addressSpace: AddressSpace, ports: PortSpace, events: @escaping SystemEventHandler
        ) throws(KVMError) {
            let limit = system.maximumVCPUs
            guard count <= limit else { throw .tooManyVCPUs(asked: count, limit: limit) }
            self.index = index
            self.count = count
            self.machine = machine
            self.addressSpace = addressSpace
            self.ports = ports
            self.events = events
            self.cpuid = cpuid
            vcpu = try VCPU(machine, identifier: index)
            try vcpu.setCPUID(cpuid.leaves(ofVCPU: index, in: count))
            savedMSRs = try vcpu.usableMSRs(
                of: X86MSR.candidates(try vcpu.supportedMSRs(system)))
            powerOnState = try state()
        }

        // MARK: State

        /// The vCPU's whole state. While the machine is paused, its time is that of the pause.
        package func state() throws(KVMError) -> X86State {
            var state = try vcpu.state(msrs: savedMSRs)
            guard let stoppedTime else { return state }
            if let localAPIC = stoppedTime.localAPIC { state.localAPIC = localAPIC }
            for index in state.msrs.indices {
                switch state.msrs[index].index {
                case X86MSR.timeStampCounter: state.msrs[index].value = stoppedTime.counter
                case X86MSR.tscDeadline:
                    if let deadline = stoppedTime.deadline { state.msrs[index].value = deadline }
                default: break
                }
            }
            return state
        }

        package func setState(_ state: X86State) throws(KVMError) {
            stoppedTime?.localAPIC = nil
            try vcpu.setState(state)
        }

        /// The power-on state without the TSC, which a reset does not change.
        package var initialState: X86State {
            var state = powerOnState
            state.msrs.removeAll { $0.index == X86MSR.timeStampCounter }
            return state
        }

        /// Replaces the CPUID model by a saved vCPU's.
        ///
        /// - Throws: `unsupportedFeatures` when this host lacks features of it.
        func adopt(_ saved: CPUIDModel) throws(KVMError) {
            guard saved != cpuid else { return }
            let missing = cpuid.missingFeatures(of: saved)
            guard missing.isEmpty else { throw .unsupportedFeatures(missing) }
            try vcpu.setCPUID(saved.leaves(ofVCPU: index, in: count))
            cpuid = saved
        }
    }
#endif

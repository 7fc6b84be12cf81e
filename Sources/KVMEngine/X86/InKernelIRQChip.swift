#if arch(x86_64)
    internal import CKVM
    internal import HostSystem
    internal import Machine
    package import SavedState
    internal import Synchronization

    /// KVM's in-kernel irqchip and interval timer: two PICs (8259A), an IOAPIC with 24 inputs, and a PIT (8254). The local APICs
    /// belong to the vCPUs' states.
    package final class InKernelIRQChip: Device {
        package let name = "interrupt-controllers"
        private let machine: KVMMachine
        /// The state at the machine's creation, for `reset`.
        private let powerOnState = Mutex<State?>(nil)
        /// The PIT's state at a pause, because its counters themselves cannot be stopped.
        private let stoppedTimer = Mutex<kvm_pit_state2?>(nil)

        struct State: Sendable {
            var pics = [kvm_pic_state(), kvm_pic_state()]
            var ioapic = kvm_ioapic_state()
            var timer = kvm_pit_state2()
        }

        package init(machine: KVMMachine) throws(KVMError) {
            self.machine = machine
            let state = try kvm { () throws(SystemError) in try Self.state(of: machine) }
            powerOnState.withLock { $0 = state }
        }

        // MARK: Lifecycle

        package func pause() {
            let timer = try? Self.state(of: machine).timer
            stoppedTimer.withLock { $0 = timer }
        }

        package func resume() {
            var timer = stoppedTimer.withLock { timer in
                defer { timer = nil }
                return timer
            }
            guard timer != nil else { return }
            // The kernel accepts the state, because it was read from the kernel.
            _ = try? machine.descriptor.control("KVM_SET_PIT2", AERIE_KVM_SET_PIT2, &timer!)
        }

        package func reset() {
            stoppedTimer.withLock { $0 = nil }
            guard let state = powerOnState.withLock({ $0 }) else { return }
            try? Self.set(state, of: machine)
        }

        package func save() throws(SavedStateError) -> SavedRecord {
            do {
                var state = try Self.state(of: machine)
                if let timer = stoppedTimer.withLock({ $0 }) { state.timer = timer }
                return state.record
            } catch {
                throw .cannotSave(name: name, reason: "\(error)")
            }
        }

        package func restore(_ record: SavedRecord) throws(SavedStateError) {
            let state = try State(record)
            do {
                try Self.set(state, of: machine)
            } catch {
                throw .cannotRestore(name: name, reason: "\(error)")
            }
        }

        // MARK: System calls

        private static let chipNumbers = (pics: [UInt32(0), 1], ioapic: UInt32(2))

        private static func state(of machine: KVMMachine) throws(SystemError) -> State {
            var state = State()
            for (index, number) in chipNumbers.pics.enumerated() {
                state.pics[index] = try chip(number, machine).chip.pic
            }
            state.ioapic = try chip(chipNumbers.ioapic, machine).chip.ioapic
            state.timer = try machine.descriptor.fetch("KVM_GET_PIT2", AERIE_KVM_GET_PIT2, into: kvm_pit_state2())
            return state
        }

        private static func chip(_ number: UInt32, _ machine: KVMMachine) throws(SystemError) -> kvm_irqchip {
            var chip = kvm_irqchip()
            chip.chip_id = number
            return try machine.descriptor.fetch("KVM_GET_IRQCHIP", AERIE_KVM_GET_IRQCHIP, into: chip)
        }

        private static func set(_ state: State, of machine: KVMMachine) throws(SystemError) {
            for (index, number) in chipNumbers.pics.enumerated() {
                var chip = kvm_irqchip()
                chip.chip_id = number
                chip.chip.pic = state.pics[index]
                try machine.descriptor.control("KVM_SET_IRQCHIP", AERIE_KVM_SET_IRQCHIP, &chip)
            }
            var chip = kvm_irqchip()
            chip.chip_id = chipNumbers.ioapic
            chip.chip.ioapic = state.ioapic
            try machine.descriptor.control("KVM_SET_IRQCHIP", AERIE_KVM_SET_IRQCHIP, &chip)
            var timer = state.timer
            try machine.descriptor.control("KVM_SET_PIT2", AERIE_KVM_SET_PIT2, &timer)
        }
    }
#endif

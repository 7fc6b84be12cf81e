#if arch(x86_64)
    internal import CKVM
    internal import HostSystem
    internal import Machine
    package import SavedState
    internal import Synchronization

    /// A machine's time: the paravirtual clock (kvmclock), the vCPUs' TSCs and their local timers. All stop while the machine
    /// is paused and continue from the same values.
    ///
    /// It must be the first of a board's devices, so that it is paused last and resumed first.
    package final class KVMClock: Device {
        package let name = "clock"
        private let machine: KVMMachine
        private let processors: [X86Processor]
        /// The paravirtual clock at a pause, in nanoseconds; nil while the machine runs.
        private let stopped = Mutex<UInt64?>(nil)

        package init(machine: KVMMachine, processors: [X86Processor]) {
            self.machine = machine
            self.processors = processors
        }

        package func pause() {
            stopped.withLock { $0 = now }
            for processor in processors { processor.stopTime() }
        }

        package func resume() {
            guard let first = processors.first, let elapsed = first.timeSinceStop else { return }
            for processor in processors { processor.startTime(elapsed: elapsed) }
            let time = stopped.withLock { stopped in
                defer { stopped = nil }
                return stopped
            }
            if let time { set(time) }
        }

        /// Does nothing: a reset does not change time.
        package func reset() {}

        package func save() throws(SavedStateError) -> SavedRecord {
            var record = SavedRecord(kind: "kvm-clock", version: 1)
            guard let time = stopped.withLock({ $0 }) ?? now else {
                throw .cannotSave(name: name, reason: "KVM_GET_CLOCK fails")
            }
            record.set("nanoseconds", time)
            return record
        }

        package func restore(_ state: SavedRecord) throws(SavedStateError) {
            try state.expect(kind: "kvm-clock", versions: 1...1)
            set(try state.integer("nanoseconds"))
        }

        private var now: UInt64? {
            try? machine.descriptor.fetch("KVM_GET_CLOCK", AERIE_KVM_GET_CLOCK, into: kvm_clock_data()).clock
        }

        private func set(_ time: UInt64) {
            // Without KVM_CLOCK_REALTIME, so that the host's time since the save is not added.
            var data = kvm_clock_data()
            data.clock = time
            // The call fails only for unknown flags.
            _ = try? machine.descriptor.control("KVM_SET_CLOCK", AERIE_KVM_SET_CLOCK, &data)
        }
    }
#endif

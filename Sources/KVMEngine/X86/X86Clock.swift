#if arch(x86_64)
    internal import CKVM
    internal import HostSystem
    internal import Machine
    package import SavedState
    internal import Synchronization

    /// A machine's time: the paravirtual clock, the vCPUs' time-stamp counters, and their local timers. They stand still while
    /// the machine is paused, and go on from there.
    ///
    /// It has to be the first of a board's devices, so that it is stopped last and goes on first.
    package final class X86Clock: Device {
        package let name = "clock"
        private let machine: KVMMachine
        private let processors: [X86Processor]
        /// What the paravirtual clock showed, in nanoseconds, when time was stopped.
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

        /// Time is not set back by a reset.
        package func reset() {}

        package func save() throws(SavedStateError) -> SavedRecord {
            var record = SavedRecord(kind: "kvm-clock", version: 1)
            guard let time = stopped.withLock({ $0 }) ?? now else {
                throw .cannotSave(name: name, reason: "KVM does not tell its time")
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
            // Without flags: the clock goes on from this time, not from what the host's clock has done since.
            var data = kvm_clock_data()
            data.clock = time
            // The kernel refuses only flags.
            _ = try? machine.descriptor.control("KVM_SET_CLOCK", AERIE_KVM_SET_CLOCK, &data)
        }
    }
#endif

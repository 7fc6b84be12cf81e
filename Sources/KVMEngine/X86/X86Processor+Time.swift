#if arch(x86_64)
    internal import CKVM
    internal import HostSystem

    extension X86Processor {
        /// What depends on time in a vCPU, as it was when time was stopped.
        struct StoppedTime {
            let counter: UInt64
            let deadline: UInt64?
            // Nil once a reset has given the local APIC another state.
            var localAPIC: [UInt8]?
        }

        /// The time-stamp counter does not stop by itself: what it shows now is remembered.
        func stopTime() {
            guard let counter = try? vcpu.modelSpecific(X86ModelSpecific.timeStampCounter),
                let localAPIC = try? vcpu.state(registers: []).localAPIC
            else { return }
            let hasDeadline = stateRegisters.contains(X86ModelSpecific.timerDeadline)
            stoppedTime = StoppedTime(
                counter: counter,
                deadline: hasDeadline ? try? vcpu.modelSpecific(X86ModelSpecific.timerDeadline) : nil,
                localAPIC: localAPIC)
        }

        /// How far the time-stamp counter has gone since `stopTime`.
        var timeSinceStop: UInt64? {
            guard let stoppedTime, let now = try? vcpu.modelSpecific(X86ModelSpecific.timeStampCounter) else {
                return nil
            }
            return now &- stoppedTime.counter
        }

        /// Sets the counter back by `elapsed`, the same for every vCPU so that they stay together, and starts timers anew.
        ///
        /// A kernel that cannot do that exactly lets the counter jump: guests that take their time from the paravirtual
        /// clock do not notice.
        func startTime(elapsed: UInt64) {
            guard let time = stoppedTime else { return }
            stoppedTime = nil
            var offset: UInt64 = 0
            if attribute(AERIE_KVM_GET_DEVICE_ATTR, &offset) {
                offset &-= elapsed
                _ = attribute(AERIE_KVM_SET_DEVICE_ATTR, &offset)
            }
            if let localAPIC = time.localAPIC {
                try? vcpu.setLocalAPIC(localAPIC)
                if let deadline = time.deadline {
                    _ = try? vcpu.setModelSpecific([.init(index: X86ModelSpecific.timerDeadline, value: deadline)])
                }
            }
            // Only for a guest that uses the paravirtual clock: its watchdogs learn that it stood still.
            _ = try? vcpu.descriptor.control("KVM_KVMCLOCK_CTRL", AERIE_KVM_KVMCLOCK_CTRL, 0)
        }

        /// KVM_VCPU_TSC_OFFSET: what is added to the host's counter.
        private func attribute(_ request: UInt, _ value: inout UInt64) -> Bool {
            withUnsafeMutablePointer(to: &value) { pointer in
                var attribute = kvm_device_attr()
                attribute.group = UInt32(KVM_VCPU_TSC_CTRL)
                attribute.attr = UInt64(KVM_VCPU_TSC_OFFSET)
                attribute.addr = UInt64(UInt(bitPattern: pointer))
                return (try? vcpu.descriptor.control("KVM_VCPU_TSC_OFFSET", request, &attribute)) != nil
            }
        }
    }
#endif

#if arch(x86_64)
    internal import CKVM
    internal import HostSystem

    extension X86Processor {
        /// The time-dependent state of a vCPU at a pause: its TSC, its TSC deadline and its local APIC.
        struct StoppedTime {
            let counter: UInt64
            let deadline: UInt64?
            // Nil after the local APIC's state was replaced during the pause.
            var localAPIC: [UInt8]?
        }

        /// Saves the time-dependent state at a pause, because the TSC itself cannot be stopped.
        func stopTime() {
            guard let counter = try? vcpu.msr(X86MSR.timeStampCounter),
                let localAPIC = try? vcpu.state(msrs: []).localAPIC
            else { return }
            let hasDeadline = savedMSRs.contains(X86MSR.tscDeadline)
            stoppedTime = StoppedTime(
                counter: counter,
                deadline: hasDeadline ? try? vcpu.msr(X86MSR.tscDeadline) : nil,
                localAPIC: localAPIC)
        }

        /// TSC ticks since `stopTime`; nil when unknown.
        var timeSinceStop: UInt64? {
            guard let stoppedTime, let now = try? vcpu.msr(X86MSR.timeStampCounter) else {
                return nil
            }
            return now &- stoppedTime.counter
        }

        /// Sets the TSC back by `elapsed` ticks and restarts the local timer. All vCPUs get the same `elapsed`, so that their
        /// TSCs stay synchronous.
        ///
        /// On a kernel without KVM_VCPU_TSC_OFFSET the TSC jumps forward. Guests on the paravirtual clock do not notice.
        func startTime(elapsed: UInt64) {
            guard let time = stoppedTime else { return }
            stoppedTime = nil
            var offset: UInt64 = 0
            if tscOffset(AERIE_KVM_GET_DEVICE_ATTR, &offset) {
                offset &-= elapsed
                _ = tscOffset(AERIE_KVM_SET_DEVICE_ATTR, &offset)
            }
            if let localAPIC = time.localAPIC {
                try? vcpu.setLocalAPIC(localAPIC)
                if let deadline = time.deadline {
                    _ = try? vcpu.setMSRs([.init(index: X86MSR.tscDeadline, value: deadline)])
                }
            }
            // Tells a guest on the paravirtual clock about the pause, for its watchdogs. Others make the call fail.
            _ = try? vcpu.descriptor.control("KVM_KVMCLOCK_CTRL", AERIE_KVM_KVMCLOCK_CTRL, 0)
        }

        /// Reads or writes KVM_VCPU_TSC_OFFSET, the difference of the guest's TSC to the host's.
        private func tscOffset(_ request: UInt, _ value: inout UInt64) -> Bool {
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

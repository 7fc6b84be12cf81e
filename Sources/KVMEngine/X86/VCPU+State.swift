#if arch(x86_64)
    internal import CKVM
    internal import HostSystem

    /// The kernel's calls for each part of a vCPU's state (api.rst, the calls named after the parts).
    extension VCPU {
        func setProcessors(_ leaves: [X86Processors.Leaf]) throws(KVMError) {
            let header = MemoryLayout<kvm_cpuid2>.size
            let stride = MemoryLayout<kvm_cpuid_entry2>.stride
            let size = header + stride * leaves.count
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
            defer { buffer.deallocate() }
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            buffer.storeBytes(of: UInt32(leaves.count), as: UInt32.self)
            for (index, leaf) in leaves.enumerated() {
                let entry = kvm_cpuid_entry2(
                    function: leaf.function, index: leaf.index, flags: leaf.flags, eax: leaf.eax, ebx: leaf.ebx,
                    ecx: leaf.ecx, edx: leaf.edx, padding: (0, 0, 0))
                buffer.storeBytes(of: entry, toByteOffset: header + stride * index, as: kvm_cpuid_entry2.self)
            }
            try kvm { () throws(SystemError) in
                try descriptor.control("KVM_SET_CPUID2", AERIE_KVM_SET_CPUID2, UInt(bitPattern: buffer.baseAddress))
            }
        }

        func state(registers indices: [UInt32]) throws(KVMError) -> X86State {
            var result = X86State()
            try kvm { () throws(SystemError) in
                // First: it takes pending start-up messages in, which changes other parts.
                result.activity = try descriptor.fetch(
                    "KVM_GET_MP_STATE", AERIE_KVM_GET_MP_STATE, into: kvm_mp_state()
                ).mp_state
                result.registers = try descriptor.fetch("KVM_GET_REGS", AERIE_KVM_GET_REGS, into: kvm_regs())
                result.special = try descriptor.fetch("KVM_GET_SREGS", AERIE_KVM_GET_SREGS, into: kvm_sregs())
                result.control = try descriptor.fetch("KVM_GET_XCRS", AERIE_KVM_GET_XCRS, into: kvm_xcrs())
                result.debug = try descriptor.fetch(
                    "KVM_GET_DEBUGREGS", AERIE_KVM_GET_DEBUGREGS, into: kvm_debugregs())
                result.events = try descriptor.fetch(
                    "KVM_GET_VCPU_EVENTS", AERIE_KVM_GET_VCPU_EVENTS, into: kvm_vcpu_events())
                result.extended = try bytes("KVM_GET_XSAVE", AERIE_KVM_GET_XSAVE, count: X86State.extendedSize)
                result.localAPIC = try bytes("KVM_GET_LAPIC", AERIE_KVM_GET_LAPIC, count: X86State.localAPICSize)
            }
            result.modelSpecific = try modelSpecific(indices)
            guard result.modelSpecific.count == indices.count else {
                let missing = zip(indices, result.modelSpecific).first { $0 != $1.index }?.0
                throw .refusedRegister(missing ?? indices[result.modelSpecific.count])
            }
            return result
        }

        /// Order matters: control registers decide what the others may be; the local APIC's mode is in them; timers follow
        /// the clock; events are last, because other calls drop them.
        func setState(_ state: X86State) throws(KVMError) {
            var state = state
            try kvm { () throws(SystemError) in
                var activity = kvm_mp_state(mp_state: state.activity)
                try descriptor.control("KVM_SET_MP_STATE", AERIE_KVM_SET_MP_STATE, &activity)
                try descriptor.control("KVM_SET_SREGS", AERIE_KVM_SET_SREGS, &state.special)
                try descriptor.control("KVM_SET_REGS", AERIE_KVM_SET_REGS, &state.registers)
                if state.control.nr_xcrs > 0 {
                    try descriptor.control("KVM_SET_XCRS", AERIE_KVM_SET_XCRS, &state.control)
                }
                try setBytes("KVM_SET_XSAVE", AERIE_KVM_SET_XSAVE, state.extended)
                try descriptor.control("KVM_SET_DEBUGREGS", AERIE_KVM_SET_DEBUGREGS, &state.debug)
                try setBytes("KVM_SET_LAPIC", AERIE_KVM_SET_LAPIC, state.localAPIC)
            }
            let accepted = try setModelSpecific(state.modelSpecific)
            if let refused = zip(state.modelSpecific, accepted).first(where: { !$1 }) {
                throw .refusedRegister(refused.0.index)
            }
            try kvm { () throws(SystemError) in
                try descriptor.control("KVM_SET_VCPU_EVENTS", AERIE_KVM_SET_VCPU_EVENTS, &state.events)
            }
        }

        func setLocalAPIC(_ registers: [UInt8]) throws(KVMError) {
            try kvm { () throws(SystemError) in try setBytes("KVM_SET_LAPIC", AERIE_KVM_SET_LAPIC, registers) }
        }

        private func bytes(_ name: String, _ request: UInt, count: Int) throws(SystemError) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            try bytes.withUnsafeMutableBufferPointer { buffer throws(SystemError) in
                _ = try descriptor.control(name, request, UInt(bitPattern: buffer.baseAddress))
            }
            return bytes
        }

        private func setBytes(_ name: String, _ request: UInt, _ bytes: [UInt8]) throws(SystemError) {
            try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
                _ = try descriptor.control(name, request, UInt(bitPattern: buffer.baseAddress))
            }
        }
    }
#endif

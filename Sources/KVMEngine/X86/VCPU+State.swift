#if arch(x86_64)
    internal import CKVM
    internal import HostSystem

    /// Reads and writes the parts of a vCPU's state (api.rst, KVM_GET_REGS and so on).
    extension VCPU {
        /// Sets the CPUID leaves. Call before the first KVM_RUN.
        func setCPUID(_ leaves: [CPUIDModel.Leaf]) throws(KVMError) {
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

        /// Reads the state, with the MSRs of `indices` in that order.
        func state(msrs indices: [UInt32]) throws(KVMError) -> X86State {
            var result = X86State()
            try kvm { () throws(SystemError) in
                // First, because the call processes a pending INIT or SIPI, which changes other parts.
                result.mpState = try descriptor.fetch(
                    "KVM_GET_MP_STATE", AERIE_KVM_GET_MP_STATE, into: kvm_mp_state()
                ).mp_state
                result.registers = try descriptor.fetch("KVM_GET_REGS", AERIE_KVM_GET_REGS, into: kvm_regs())
                result.specialRegisters = try descriptor.fetch("KVM_GET_SREGS", AERIE_KVM_GET_SREGS, into: kvm_sregs())
                result.xcrs = try descriptor.fetch("KVM_GET_XCRS", AERIE_KVM_GET_XCRS, into: kvm_xcrs())
                result.debugRegisters = try descriptor.fetch(
                    "KVM_GET_DEBUGREGS", AERIE_KVM_GET_DEBUGREGS, into: kvm_debugregs())
                result.events = try descriptor.fetch(
                    "KVM_GET_VCPU_EVENTS", AERIE_KVM_GET_VCPU_EVENTS, into: kvm_vcpu_events())
                result.xsave = try bytes("KVM_GET_XSAVE", AERIE_KVM_GET_XSAVE, count: X86State.xsaveSize)
                result.localAPIC = try bytes("KVM_GET_LAPIC", AERIE_KVM_GET_LAPIC, count: X86State.localAPICSize)
            }
            result.msrs = try msrs(indices)
            guard result.msrs.count == indices.count else {
                let missing = zip(indices, result.msrs).first { $0 != $1.index }?.0
                throw .refusedMSR(missing ?? indices[result.msrs.count])
            }
            return result
        }

        /// Writes the state in the order of dependences: special registers, which hold the local APIC's mode, before the rest;
        /// the TSC before timers; events last, because other calls drop them.
        func setState(_ state: X86State) throws(KVMError) {
            var state = state
            try kvm { () throws(SystemError) in
                var mpState = kvm_mp_state(mp_state: state.mpState)
                try descriptor.control("KVM_SET_MP_STATE", AERIE_KVM_SET_MP_STATE, &mpState)
                try descriptor.control("KVM_SET_SREGS", AERIE_KVM_SET_SREGS, &state.specialRegisters)
                try descriptor.control("KVM_SET_REGS", AERIE_KVM_SET_REGS, &state.registers)
                if state.xcrs.nr_xcrs > 0 {
                    try descriptor.control("KVM_SET_XCRS", AERIE_KVM_SET_XCRS, &state.xcrs)
                }
                try setBytes("KVM_SET_XSAVE", AERIE_KVM_SET_XSAVE, state.xsave)
                try descriptor.control("KVM_SET_DEBUGREGS", AERIE_KVM_SET_DEBUGREGS, &state.debugRegisters)
                try setBytes("KVM_SET_LAPIC", AERIE_KVM_SET_LAPIC, state.localAPIC)
            }
            let accepted = try setMSRs(state.msrs)
            if let refused = zip(state.msrs, accepted).first(where: { !$1 }) {
                throw .refusedMSR(refused.0.index)
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

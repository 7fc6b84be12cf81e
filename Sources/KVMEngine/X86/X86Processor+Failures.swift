#if arch(x86_64)
    internal import CKVM
    internal import GuestMemory
    internal import HostSystem
    internal import Machine

    extension X86Processor {
        /// Handles KVM_EXIT_INTERNAL_ERROR. Completes INT3, which some emulating kernels do not know.
        ///
        /// - Returns: nil when the vCPU can continue; otherwise a description of the failure.
        func completeOrDescribe(_ area: UnsafeMutableRawPointer) -> String? {
            let suberror = area.load(fromByteOffset: AERIE_RUN_INTERNAL_SUBERROR, as: UInt32.self)
            guard suberror == UInt32(KVM_INTERNAL_ERROR_EMULATION) else {
                let words = internalData(area).map { "0x" + String($0, radix: 16) }.joined(separator: " ")
                return "KVM internal error (\(Self.name(ofSuberror: suberror)), data \(words)); \(stateInWords())"
            }
            guard let state = try? state() else {
                return "KVM cannot emulate an instruction; the vCPU's state cannot be read"
            }
            let bytes = instructionBytes(area, state)
            if bytes.first == 0xCC, raiseBreakpoint(state) { return nil }
            let text = bytes.isEmpty ? "outside of memory" : Self.hexadecimal(bytes)
            return "KVM cannot emulate the instruction \(text); \(Self.words(state))"
        }

        private static func name(ofSuberror suberror: UInt32) -> String {
            switch Int32(bitPattern: suberror) {
            case KVM_INTERNAL_ERROR_SIMUL_EX: "two exceptions at once"
            case KVM_INTERNAL_ERROR_DELIVERY_EV: "an exit while an event was delivered"
            case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON: "an exit for no known reason"
            default: "error \(suberror)"
            }
        }

        private func internalData(_ area: UnsafeMutableRawPointer) -> [UInt64] {
            let count = min(area.load(fromByteOffset: AERIE_RUN_INTERNAL_COUNT, as: UInt32.self), 16)
            return (0..<Int(count)).map {
                area.load(fromByteOffset: AERIE_RUN_INTERNAL_DATA + 8 * $0, as: UInt64.self)
            }
        }

        /// The bytes at the instruction pointer: from the exit's data, else from guest memory.
        private func instructionBytes(_ area: UnsafeMutableRawPointer, _ state: X86State) -> [UInt8] {
            // struct emulation_failure: flags, then a size and 15 bytes.
            let flags = area.load(fromByteOffset: AERIE_RUN_INTERNAL_DATA, as: UInt64.self)
            let count = area.load(fromByteOffset: AERIE_RUN_INTERNAL_COUNT, as: UInt32.self)
            if count >= 3, flags & UInt64(KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) != 0 {
                let size = min(Int(area.load(fromByteOffset: AERIE_RUN_INTERNAL_DATA + 8, as: UInt8.self)), 15)
                if size > 0 {
                    return (0..<size).map {
                        area.load(fromByteOffset: AERIE_RUN_INTERNAL_DATA + 9 + $0, as: UInt8.self)
                    }
                }
            }
            let linear = state.specialRegisters.cs.base &+ state.registers.rip
            var bytes: [UInt8] = []
            while bytes.count < 15, let address = physicalAddress(of: linear &+ UInt64(bytes.count)),
                let byte = try? addressSpace.memory.load(UInt8.self, at: address)
            {
                bytes.append(byte)
            }
            return bytes
        }

        private func physicalAddress(of linear: UInt64) -> UInt64? {
            var translation = kvm_translation()
            translation.linear_address = linear
            guard (try? vcpu.descriptor.control("KVM_TRANSLATE", AERIE_KVM_TRANSLATE, &translation)) != nil,
                translation.valid != 0
            else { return nil }
            return translation.physical_address
        }

        /// Raises #BP for INT3. It is a trap: the saved RIP is that of the next instruction (Intel SDM, volume 3, section 6.15).
        ///
        /// - Returns: false when that failed, or another event is being delivered.
        private func raiseBreakpoint(_ state: X86State) -> Bool {
            guard state.events.exception.injected == 0, state.events.interrupt.injected == 0 else { return false }
            var registers = state.registers
            registers.rip &+= 1
            var events = state.events
            events.exception.injected = 1
            events.exception.nr = 3
            events.exception.has_error_code = 0
            do {
                try vcpu.descriptor.control("KVM_SET_REGS", AERIE_KVM_SET_REGS, &registers)
                try vcpu.descriptor.control("KVM_SET_VCPU_EVENTS", AERIE_KVM_SET_VCPU_EVENTS, &events)
                return true
            } catch {
                return false
            }
        }

        // MARK: Descriptions

        func tripleFault() -> String { "triple fault; \(stateInWords())" }

        /// The vCPU's mode and main registers, for messages.
        func stateInWords() -> String {
            guard let state = try? state() else { return "its state cannot be read" }
            return Self.words(state)
        }

        static func words(_ state: X86State) -> String {
            let special = state.specialRegisters
            let registers = state.registers
            let mode =
                if special.cr0 & 1 == 0 {
                    "real mode"
                } else if special.efer & 1 << 10 != 0 {
                    special.cs.l != 0 ? "64-bit mode" : "compatibility mode"
                } else {
                    special.cr0 & 1 << 31 != 0 ? "protected mode with paging" : "protected mode"
                }
            func value(_ name: String, _ value: UInt64) -> String { "\(name) 0x\(String(value, radix: 16))" }
            let values = [
                value("rip", registers.rip), value("cs", UInt64(special.cs.selector)), value("rsp", registers.rsp),
                value("rflags", registers.rflags), value("cr0", special.cr0), value("cr2", special.cr2),
                value("cr3", special.cr3), value("cr4", special.cr4), value("efer", special.efer),
            ]
            return "in \(mode), ring \(special.ss.dpl), \(values.joined(separator: ", "))"
        }

        static func hexadecimal(_ bytes: [UInt8]) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
        }
    }
#endif

#if arch(x86_64)
    internal import CKVM
    internal import HostSystem

    /// Model-specific registers: many in one call, because each call loads the vCPU onto the processor.
    extension VCPU {
        typealias Register = X86State.ModelSpecificRegister

        // struct kvm_msrs: a count and padding, then entries of number, reserved, value.
        private static let headerSize = 8
        private static let entrySize = 16
        // The kernel takes 256 at a time (MAX_IO_MSRS).
        private static let most = 256

        /// Those of the registers that the kernel knows, in the same order.
        func modelSpecific(_ indices: [UInt32]) throws(KVMError) -> [Register] {
            var registers = indices.map { Register(index: $0, value: 0) }
            let known = try transfer("KVM_GET_MSRS", AERIE_KVM_GET_MSRS, &registers)
            return zip(registers, known).filter { $1 }.map(\.0)
        }

        /// Nil when the kernel does not know the register.
        func modelSpecific(_ index: UInt32) throws(KVMError) -> UInt64? { try modelSpecific([index]).first?.value }

        /// Sets registers in their order.
        ///
        /// - Returns: for each, whether the kernel took the value.
        func setModelSpecific(_ registers: [Register]) throws(KVMError) -> [Bool] {
            var registers = registers
            return try transfer("KVM_SET_MSRS", AERIE_KVM_SET_MSRS, &registers)
        }

        /// Those registers that can be read and written back as they are.
        func usableRegisters(of candidates: [UInt32]) throws(KVMError) -> [UInt32] {
            let readable = try modelSpecific(candidates)
            return zip(readable, try setModelSpecific(readable)).filter { $1 }.map(\.0.index)
        }

        /// The registers that the kernel says to be part of a vCPU's state.
        func supportedRegisters(_ system: borrowing KVMSystem) throws(KVMError) -> [UInt32] {
            let limit = 4096
            var words = [UInt32](repeating: 0, count: limit + 1)
            words[0] = UInt32(limit)
            let device = system.descriptor.rawValue
            _ = try words.withUnsafeMutableBufferPointer { buffer throws(KVMError) in
                try kvm { () throws(SystemError) in
                    try checked("ioctl KVM_GET_MSR_INDEX_LIST") {
                        aerie_kvm_ioctl_value(
                            device, AERIE_KVM_GET_MSR_INDEX_LIST, UInt(bitPattern: buffer.baseAddress))
                    }
                }
            }
            return Array(words[1...min(Int(words[0]), limit)])
        }

        /// Reads or writes registers. The kernel stops at the first that it refuses: that one is passed over, and the rest
        /// is asked for again.
        private func transfer(
            _ name: String, _ request: UInt, _ registers: inout [Register]
        ) throws(KVMError) -> [Bool] {
            var accepted = [Bool](repeating: false, count: registers.count)
            let size = Self.headerSize + Self.entrySize * min(registers.count, Self.most)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
            defer { buffer.deallocate() }
            var done = 0
            while done < registers.count {
                let count = min(registers.count - done, Self.most)
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
                buffer.storeBytes(of: UInt32(count), as: UInt32.self)
                for index in 0..<count {
                    let place = Self.headerSize + Self.entrySize * index
                    buffer.storeBytes(of: registers[done + index].index, toByteOffset: place, as: UInt32.self)
                    buffer.storeBytes(of: registers[done + index].value, toByteOffset: place + 8, as: UInt64.self)
                }
                let taken = try kvm { () throws(SystemError) in
                    Int(try descriptor.control(name, request, UInt(bitPattern: buffer.baseAddress)))
                }
                for index in 0..<min(taken, count) {
                    let place = Self.headerSize + Self.entrySize * index + 8
                    registers[done + index].value = buffer.load(fromByteOffset: place, as: UInt64.self)
                    accepted[done + index] = true
                }
                done += min(taken, count) + (taken < count ? 1 : 0)
            }
            return accepted
        }
    }
#endif

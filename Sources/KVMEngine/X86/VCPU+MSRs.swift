#if arch(x86_64)
    internal import CKVM
    internal import HostSystem

    /// Access to model-specific registers (MSRs). One call transfers many, because each call loads the vCPU onto the processor.
    extension VCPU {
        typealias MSR = X86State.MSR

        // struct kvm_msrs: a count and padding, then entries of index, reserved, value.
        private static let headerSize = 8
        private static let entrySize = 16
        // The kernel's limit of MSRs for each call (MAX_IO_MSRS).
        private static let maximumPerCall = 256

        /// Reads MSRs. The result is in the same order and lacks the MSRs that the kernel does not know.
        func msrs(_ indices: [UInt32]) throws(KVMError) -> [MSR] {
            var msrs = indices.map { MSR(index: $0, value: 0) }
            let known = try transfer("KVM_GET_MSRS", AERIE_KVM_GET_MSRS, &msrs)
            return zip(msrs, known).filter { $1 }.map(\.0)
        }

        /// Reads one MSR; nil when the kernel does not know it.
        func msr(_ index: UInt32) throws(KVMError) -> UInt64? { try msrs([index]).first?.value }

        /// Writes MSRs in their order.
        ///
        /// - Returns: for each MSR, whether the kernel accepted the value.
        func setMSRs(_ msrs: [MSR]) throws(KVMError) -> [Bool] {
            var msrs = msrs
            return try transfer("KVM_SET_MSRS", AERIE_KVM_SET_MSRS, &msrs)
        }

        /// The candidates whose present value can be read and written back.
        func usableMSRs(of candidates: [UInt32]) throws(KVMError) -> [UInt32] {
            let readable = try msrs(candidates)
            return zip(readable, try setMSRs(readable)).filter { $1 }.map(\.0.index)
        }

        /// The MSRs of a vCPU's state by the kernel's list (KVM_GET_MSR_INDEX_LIST).
        func supportedMSRs(_ system: borrowing KVMSystem) throws(KVMError) -> [UInt32] {
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

        /// Reads or writes MSRs. The kernel stops at an MSR that it refuses; the transfer continues after it.
        ///
        /// - Returns: for each MSR, whether it was transferred.
        private func transfer(
            _ name: String, _ request: UInt, _ msrs: inout [MSR]
        ) throws(KVMError) -> [Bool] {
            var accepted = [Bool](repeating: false, count: msrs.count)
            let size = Self.headerSize + Self.entrySize * min(msrs.count, Self.maximumPerCall)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
            defer { buffer.deallocate() }
            var done = 0
            while done < msrs.count {
                let count = min(msrs.count - done, Self.maximumPerCall)
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
                buffer.storeBytes(of: UInt32(count), as: UInt32.self)
                for index in 0..<count {
                    let place = Self.headerSize + Self.entrySize * index
                    buffer.storeBytes(of: msrs[done + index].index, toByteOffset: place, as: UInt32.self)
                    buffer.storeBytes(of: msrs[done + index].value, toByteOffset: place + 8, as: UInt64.self)
                }
                let taken = try kvm { () throws(SystemError) in
                    Int(try descriptor.control(name, request, UInt(bitPattern: buffer.baseAddress)))
                }
                for index in 0..<min(taken, count) {
                    let place = Self.headerSize + Self.entrySize * index + 8
                    msrs[done + index].value = buffer.load(fromByteOffset: place, as: UInt64.self)
                    accepted[done + index] = true
                }
                done += min(taken, count) + (taken < count ? 1 : 0)
            }
            return accepted
        }
    }
#endif

#if arch(x86_64)
    internal import CKVM
    internal import Glibc
    internal import HostSystem
    package import Machine
    package import SavedState

    extension X86Processor: VirtualProcessor {
        package func requestExit() { vcpu.kick() }

        package func reset() {
            // The kernel accepts the state, because it was read from the kernel.
            do { try setState(initialState) } catch { preconditionFailure("vCPU \(index) cannot be reset: \(error)") }
        }

        package func save() throws(SavedStateError) -> SavedRecord {
            do throws(KVMError) {
                return try state().record(cpuid: cpuid)
            } catch {
                throw .cannotSave(name: "vCPU \(index)", reason: error.description)
            }
        }

        package func restore(_ record: SavedRecord) throws(SavedStateError) {
            let state = try X86State(record)
            let saved = try CPUIDModel(try record.record("features"))
            do throws(KVMError) {
                try adopt(saved)
                try setState(state)
            } catch {
                throw .cannotRestore(name: "vCPU \(index)", reason: error.description)
            }
        }

        package func run() -> ProcessorExit {
            vcpu.bindToCurrentThread()
            defer { vcpu.unbind() }
            let area = vcpu.runArea
            let descriptor = vcpu.descriptor.rawValue
            while true {
                let code = aerie_kvm_run(descriptor)
                if code != 0 {
                    switch code {
                    case EINTR: if vcpu.consumeKick() { return .requested }
                    // A vCPU that waited for SIPI has received it.
                    case EAGAIN: break
                    default: return .failed("KVM_RUN: \(String(cString: strerror(code)))")
                    }
                    continue
                }
                switch Int32(bitPattern: area.load(fromByteOffset: AERIE_RUN_EXIT_REASON, as: UInt32.self)) {
                case KVM_EXIT_IO: accessPorts(area)
                case KVM_EXIT_MMIO: accessMemory(area)
                case KVM_EXIT_INTR: if vcpu.consumeKick() { return .requested }
                case KVM_EXIT_SHUTDOWN: return .failed(tripleFault())
                case KVM_EXIT_INTERNAL_ERROR:
                    if let reason = completeOrDescribe(area) { return .failed(reason) }
                case KVM_EXIT_FAIL_ENTRY:
                    let reason = area.load(fromByteOffset: AERIE_RUN_ENTRY_FAILURE, as: UInt64.self)
                    return .failed(
                        "the processor refuses the guest's state at entry (hardware reason 0x\(String(reason, radix: 16))); "
                            + stateInWords())
                case KVM_EXIT_HLT:
                    // Only a vCPU without an in-kernel local APIC exits for HLT, and ours have one.
                    return .failed("KVM_EXIT_HLT of a vCPU with a local APIC; \(stateInWords())")
                case let reason:
                    return .failed("unknown KVM exit reason \(reason); \(stateInWords())")
                }
            }
        }

        /// Performs a port access. A string instruction repeats it `count` times; the kernel bounds the data to a page.
        private func accessPorts(_ area: UnsafeMutableRawPointer) {
            let size = Int(area.load(fromByteOffset: AERIE_RUN_IO_SIZE, as: UInt8.self))
            let port = area.load(fromByteOffset: AERIE_RUN_IO_PORT, as: UInt16.self)
            let count = Int(area.load(fromByteOffset: AERIE_RUN_IO_COUNT, as: UInt32.self))
            let isWrite = area.load(fromByteOffset: AERIE_RUN_IO_DIRECTION, as: UInt8.self) == UInt8(KVM_EXIT_IO_OUT)
            var data = area + Int(area.load(fromByteOffset: AERIE_RUN_IO_DATA_OFFSET, as: UInt64.self))
            for _ in 0..<count {
                if isWrite {
                    ports.write(port, size: size, value: Self.load(data, size))
                } else {
                    Self.store(ports.read(port, size: size), data, size)
                }
                data += size
            }
        }

        /// Performs an MMIO access. KVM reports accesses of odd sizes, or over the end of a page, in pieces of 1 to 8 bytes;
        /// devices take sizes that are powers of two.
        private func accessMemory(_ area: UnsafeMutableRawPointer) {
            let address = area.load(fromByteOffset: AERIE_RUN_MMIO_ADDRESS, as: UInt64.self)
            let count = min(Int(area.load(fromByteOffset: AERIE_RUN_MMIO_LENGTH, as: UInt32.self)), 8)
            let isWrite = area.load(fromByteOffset: AERIE_RUN_MMIO_IS_WRITE, as: UInt8.self) != 0
            let data = area + AERIE_RUN_MMIO_DATA
            var done = 0
            while done < count {
                var size = 8
                while size > count - done { size /= 2 }
                let place = address &+ UInt64(done)
                if isWrite {
                    // A write to an address without a device is lost, as on a bus.
                    _ = addressSpace.writeDevice(at: place, size: size, value: Self.load(data + done, size))
                } else {
                    Self.store(addressSpace.readDevice(at: place, size: size) ?? .max, data + done, size)
                }
                done += size
            }
        }

        private static func load(_ data: UnsafeMutableRawPointer, _ size: Int) -> UInt64 {
            switch size {
            case 1: UInt64(data.load(as: UInt8.self))
            case 2: UInt64(data.loadUnaligned(as: UInt16.self))
            case 4: UInt64(data.loadUnaligned(as: UInt32.self))
            default: data.loadUnaligned(as: UInt64.self)
            }
        }

        private static func store(_ value: UInt64, _ data: UnsafeMutableRawPointer, _ size: Int) {
            switch size {
            case 1: data.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
            case 2: data.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
            case 4: data.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
            default: data.storeBytes(of: value, as: UInt64.self)
            }
        }
    }
#endif

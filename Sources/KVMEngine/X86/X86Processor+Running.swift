#if arch(x86_64)
    internal import CKVM
    internal import Glibc
    internal import HostSystem
    package import Machine
    package import SavedState

    extension X86Processor: VirtualProcessor {
        package func requestExit() { vcpu.kick() }

        package func reset() {
            // The kernel gave this state out itself, so that it takes it back.
            do { try setState(initialState) } catch { preconditionFailure("vCPU \(index) cannot be reset: \(error)") }
        }

        package func save() throws(SavedStateError) -> SavedRecord {
            do throws(KVMError) {
                return try state().record(processor: processors)
            } catch {
                throw .cannotSave(name: "vCPU \(index)", reason: error.description)
            }
        }

        package func restore(_ record: SavedRecord) throws(SavedStateError) {
            let state = try X86State(record)
            let saved = try X86Processors(try record.record("features"))
            do throws(KVMError) {
                try adopt(saved)
                try setState(state)
            } catch {
                throw .cannotRestore(name: "vCPU \(index)", reason: error.description)
            }
        }

        package func run() -> ProcessorExit {
            vcpu.take()
            defer { vcpu.leave() }
            let area = vcpu.runArea
            let descriptor = vcpu.descriptor.rawValue
            while true {
                let code = aerie_kvm_run(descriptor)
                if code != 0 {
                    switch code {
                    case EINTR: if vcpu.takeKick() { return .requested }
                    // A processor that was waiting to be started has been.
                    case EAGAIN: break
                    default: return .failed("KVM_RUN: \(String(cString: strerror(code)))")
                    }
                    continue
                }
                switch Int32(bitPattern: area.load(fromByteOffset: AERIE_RUN_EXIT_REASON, as: UInt32.self)) {
                case KVM_EXIT_IO: accessPorts(area)
                case KVM_EXIT_MMIO: accessMemory(area)
                case KVM_EXIT_DIRTY_RING_FULL:
                    do throws(KVMError) {
                        try machine.emptyRing(of: index)
                    } catch {
                        return .failed("the pages that the guest has written to are not told any more: \(error)")
                    }
                case KVM_EXIT_INTR: if vcpu.takeKick() { return .requested }
                case KVM_EXIT_SHUTDOWN: return .failed(tripleFault())
                case KVM_EXIT_INTERNAL_ERROR:
                    if let reason = completeOrDescribe(area) { return .failed(reason) }
                case KVM_EXIT_FAIL_ENTRY:
                    let reason = area.load(fromByteOffset: AERIE_RUN_ENTRY_FAILURE, as: UInt64.self)
                    return .failed(
                        "the processor refuses to enter the guest (hardware reason 0x\(String(reason, radix: 16))); "
                            + stateInWords())
                case KVM_EXIT_HLT:
                    // Only a vCPU without a local APIC leaves the kernel to halt, and ours have one.
                    return .failed("the vCPU halted outside of the kernel; \(stateInWords())")
                case let reason:
                    return .failed("KVM left the guest for the unknown reason \(reason); \(stateInWords())")
                }
            }
        }

        /// Port accesses: `count` times the same, for string instructions. The kernel bounds all of it to a page.
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

        /// An access to memory that is none. Instructions of odd sizes, and accesses over the end of a page, come as pieces
        /// of 1 to 8 bytes; devices know powers of two.
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
                    // Nobody's address: the write is lost, as on a bus.
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

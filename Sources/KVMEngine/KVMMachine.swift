internal import CKVM
package import GuestMemory
internal import HostSystem
internal import Synchronization

/// A KVM virtual machine (the descriptor of KVM_CREATE_VM): memory slots, interrupts, ioeventfds. Safe on any thread.
package final class KVMMachine: Sendable {
    let descriptor: FileDescriptor
    /// Bytes of a vCPU's `kvm_run` mapping.
    let runAreaSize: Int
    /// The memory behind each slot, by its number: it stays mapped for as long as the guest can reach it.
    private let memorySlots = Mutex<[GuestMemory]>([])

    /// The guest's access to a memory slot. The pages that it writes are logged by the page table of this process (`WriteLog`).
    package enum MemoryAccess: Sendable {
        case readWrite
        /// The guest's writes become MMIO exits (KVM_MEM_READONLY).
        case readOnly
    }

    init(descriptor: consuming FileDescriptor, runAreaSize: Int) {
        self.descriptor = descriptor
        self.runAreaSize = runAreaSize
    }

    // MARK: Memory

    /// Maps every range of `memory` into the guest as a memory slot.
    package func map(_ memory: GuestMemory, access: MemoryAccess = .readWrite) throws(KVMError) {
        for range in memory.ranges {
            var region = kvm_userspace_memory_region()
            region.flags =
                switch access {
                case .readWrite: 0
                case .readOnly: AERIE_KVM_MEM_READONLY
                }
            region.guest_phys_addr = range.base
            region.memory_size = range.size
            // `memorySlots` keeps `memory` alive as long as this object, and the vCPUs keep this object alive.
            region.userspace_addr = UInt64(UInt(bitPattern: memory.hostBase)) + range.offset
            region.slot = memorySlots.withLock { slots in
                slots.append(memory)
                return UInt32(slots.count - 1)
            }
            try kvm { () throws(SystemError) in
                try descriptor.control("KVM_SET_USER_MEMORY_REGION", AERIE_KVM_SET_USER_MEMORY_REGION, &region)
            }
        }
    }
}

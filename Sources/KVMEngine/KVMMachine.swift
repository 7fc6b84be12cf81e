internal import CKVM
package import GuestMemory
internal import HostSystem
internal import Synchronization

/// A KVM virtual machine (the descriptor of KVM_CREATE_VM): memory slots, interrupts, ioeventfds. Safe on any thread.
package final class KVMMachine: Sendable {
    let descriptor: FileDescriptor
    /// Bytes of a vCPU's `kvm_run` mapping.
    let runAreaSize: Int
    /// Entries of each vCPU's dirty ring; 0 when dirty pages are tracked in bitmaps.
    let ringEntries: Int
    /// The vCPUs' dirty rings. Lock order: `rings` before `memorySlots`.
    let rings = Mutex<[DirtyRing]>([])
    let memorySlots = Mutex<[MemorySlot]>([])

    /// A KVM memory slot: a guest-physical range that is backed by host memory.
    struct MemorySlot {
        var region: kvm_userspace_memory_region
        // Keeps the mapping alive for as long as the guest can reach it.
        let memory: GuestMemory
        /// Pages harvested from dirty rings since the last `takeDirtyPages`.
        var harvested: DirtyBitmap?

        var isLogged: Bool { region.flags & AERIE_KVM_MEM_LOG_DIRTY_PAGES != 0 }

        mutating func updateHarvested(_ change: (inout DirtyBitmap) -> Void) {
            var pages = harvested.take() ?? DirtyBitmap(count: region.memory_size / 4096)
            change(&pages)
            harvested = pages
        }
    }

    /// The guest's access to a memory slot, and whether its dirty pages are tracked.
    package enum MemoryAccess: Sendable {
        case readWrite
        /// The guest's writes become MMIO exits (KVM_MEM_READONLY).
        case readOnly
        /// Writable; `takeDirtyPages` returns the dirty pages (KVM_MEM_LOG_DIRTY_PAGES).
        case dirtyLogged
    }

    init(descriptor: consuming FileDescriptor, runAreaSize: Int, ringEntries: Int) {
        self.descriptor = descriptor
        self.runAreaSize = runAreaSize
        self.ringEntries = ringEntries
    }

    // MARK: Memory

    /// Maps every range of `memory` into the guest as a memory slot.
    ///
    /// - Returns: the slots' numbers, one for each range, for `takeDirtyPages`.
    @discardableResult
    package func map(_ memory: GuestMemory, access: MemoryAccess = .readWrite) throws(KVMError) -> [UInt32] {
        var numbers: [UInt32] = []
        for range in memory.ranges {
            var region = kvm_userspace_memory_region()
            region.flags =
                switch access {
                case .readWrite: 0
                case .readOnly: AERIE_KVM_MEM_READONLY
                case .dirtyLogged: AERIE_KVM_MEM_LOG_DIRTY_PAGES
                }
            region.guest_phys_addr = range.base
            region.memory_size = range.size
            // `memorySlots` keeps `memory` alive as long as this object, and the vCPUs keep this object alive.
            region.userspace_addr = UInt64(UInt(bitPattern: memory.hostBase)) + range.offset
            region.slot = memorySlots.withLock { [region] slots in
                let number = UInt32(slots.count)
                slots.append(MemorySlot(region: region, memory: memory))
                slots[slots.count - 1].region.slot = number
                return number
            }
            try setRegion(&region)
            numbers.append(region.slot)
        }
        return numbers
    }

    func setRegion(_ region: inout kvm_userspace_memory_region) throws(KVMError) {
        try kvm { () throws(SystemError) in
            try descriptor.control("KVM_SET_USER_MEMORY_REGION", AERIE_KVM_SET_USER_MEMORY_REGION, &region)
        }
    }
}

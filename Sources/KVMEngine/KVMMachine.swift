internal import CKVM
package import GuestMemory
internal import HostSystem
internal import Synchronization

/// A virtual machine of the kernel: its memory, its interrupts, and its clock. Any thread may use it.
package final class KVMMachine: Sendable {
    let descriptor: FileDescriptor
    let runAreaSize: Int
    /// How many entries each vCPU's dirty ring has; 0 when there is a log instead.
    let ringEntries: Int
    /// The vCPUs' rings. Whoever needs both locks takes this one first.
    let rings = Mutex<[DirtyRing]>([])
    let slots = Mutex<[Slot]>([])

    /// A range of guest-physical addresses that is memory to the kernel.
    struct Slot {
        var region: kvm_userspace_memory_region
        // Keeps the mapping alive for as long as the guest can reach it.
        let memory: GuestMemory
        /// What rings have told, and nobody has asked for yet.
        var written: PageBitmap?

        var isLogged: Bool { region.flags & AERIE_KVM_MEM_LOG_DIRTY_PAGES != 0 }

        mutating func note(_ change: (inout PageBitmap) -> Void) {
            var pages = written.take() ?? PageBitmap(count: region.memory_size / 4096)
            change(&pages)
            written = pages
        }
    }

    /// Which changes of a memory range are kept track of, and whether the guest may change it at all.
    package enum MemoryAccess: Sendable {
        case readWrite
        /// Writes reach the address space's devices instead.
        case readOnly
        /// Pages that the guest writes to are told by `takeDirtyPages`.
        case logged
    }

    init(descriptor: consuming FileDescriptor, runAreaSize: Int, ringEntries: Int) {
        self.descriptor = descriptor
        self.runAreaSize = runAreaSize
        self.ringEntries = ringEntries
    }

    // MARK: Memory

    /// Gives the guest every range of `memory`.
    ///
    /// - Returns: the slots, one for each range, for `takeDirtyPages`.
    @discardableResult
    package func map(_ memory: GuestMemory, access: MemoryAccess = .readWrite) throws(KVMError) -> [UInt32] {
        var numbers: [UInt32] = []
        for range in memory.ranges {
            var region = kvm_userspace_memory_region()
            region.flags =
                switch access {
                case .readWrite: 0
                case .readOnly: AERIE_KVM_MEM_READONLY
                case .logged: AERIE_KVM_MEM_LOG_DIRTY_PAGES
                }
            region.guest_phys_addr = range.base
            region.memory_size = range.size
            // `memory` lives in `slots` as long as this object, which the vCPUs hold.
            region.userspace_addr = UInt64(UInt(bitPattern: memory.hostBase)) + range.offset
            region.slot = slots.withLock { [region] slots in
                let number = UInt32(slots.count)
                slots.append(Slot(region: region, memory: memory))
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

internal import CKVM
internal import Glibc
package import GuestMemory
internal import HostSystem
internal import Synchronization

/// A virtual machine of the kernel: its memory, its interrupts, and its clock. Any thread may use it.
package final class KVMMachine: Sendable {
    let descriptor: FileDescriptor
    let runAreaSize: Int
    /// Whether pages of logged slots are told by rings.
    let hasDirtyRings: Bool
    private let slots = Mutex<[Slot]>([])
    private let rings = Mutex<[SharedDirtyRing]>([])

    /// A range of guest-physical addresses that is memory to the kernel.
    private struct Slot {
        let number: UInt32
        let size: UInt64
        // Keeps the mapping alive for as long as the guest can reach it.
        let memory: GuestMemory
        /// What rings have told, and nobody has taken yet.
        var written: PageBitmap?
    }

    /// Which changes of a memory range are kept track of, and whether the guest may change it at all.
    package enum MemoryAccess: Sendable {
        case readWrite
        /// Writes reach the address space's devices instead.
        case readOnly
        /// Pages that the guest writes to are told by `takeDirtyPages`.
        case logged
    }

    init(descriptor: consuming FileDescriptor, runAreaSize: Int, hasDirtyRings: Bool) {
        self.descriptor = descriptor
        self.runAreaSize = runAreaSize
        self.hasDirtyRings = hasDirtyRings
    }

    // MARK: Memory

    /// Gives the guest every range of `memory`.
    ///
    /// - Returns: the slots, one for each range, for `takeDirtyPages`.
    @discardableResult
    package func map(_ memory: GuestMemory, access: MemoryAccess = .readWrite) throws(KVMError) -> [UInt32] {
        var numbers: [UInt32] = []
        for range in memory.ranges {
            let number = slots.withLock { slots -> UInt32 in
                let number = UInt32(slots.count)
                slots.append(Slot(number: number, size: range.size, memory: memory))
                return number
            }
            var region = kvm_userspace_memory_region()
            region.slot = number
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
            try kvm { () throws(SystemError) in
                try descriptor.control("KVM_SET_USER_MEMORY_REGION", AERIE_KVM_SET_USER_MEMORY_REGION, &region)
            }
            numbers.append(number)
        }
        return numbers
    }

    // MARK: Written pages

    /// The pages of a logged slot that the guest wrote to since the last call, as their numbers from the slot's beginning,
    /// ascending. What a running vCPU writes meanwhile is in this or in the next call's; their contents are read afterwards.
    package func takeDirtyPages(of slot: UInt32) throws(KVMError) -> [UInt64] {
        let size = slots.withLock { slots in slots.first { $0.number == slot }?.size ?? 0 }
        precondition(size > 0, "dirty pages are asked of slots that are mapped")
        var pages = PageBitmap(count: size / 4096)
        if hasDirtyRings {
            try collectDirtyPages()
            slots.withLock { slots in
                let index = slots.firstIndex { $0.number == slot }!
                if let written = slots[index].written { pages = written }
                slots[index].written = nil
            }
            return pages.pages
        }
        try pages.withWords { (words) throws(KVMError) in
            var log = kvm_dirty_log()
            log.slot = slot
            log.dirty_bitmap = UnsafeMutableRawPointer(words)
            try kvm { () throws(SystemError) in
                try descriptor.control("KVM_GET_DIRTY_LOG", AERIE_KVM_GET_DIRTY_LOG, &log)
            }
        }
        return pages.pages
    }

    /// Takes what is in the rings, and lets the kernel watch these pages again.
    func collectDirtyPages() throws(KVMError) {
        let rings = self.rings.withLock { $0 }
        // All under the lock: nobody may be told of a page before the kernel watches it again.
        try slots.withLock { (slots) throws(KVMError) in
            var count = 0
            for ring in rings {
                count += ring.take { number, page in
                    guard let index = slots.firstIndex(where: { $0.number == number }) else { return }
                    if slots[index].written == nil {
                        slots[index].written = PageBitmap(count: slots[index].size / 4096)
                    }
                    slots[index].written?.insert(page)
                }
            }
            guard count > 0 else { return }
            try kvm { () throws(SystemError) in
                try descriptor.control("KVM_RESET_DIRTY_RINGS", AERIE_KVM_RESET_DIRTY_RINGS, 0)
            }
        }
    }

    /// Before the first vCPU: pages of logged slots are told by rings, not by a log, which costs less the fewer are written.
    func enableDirtyRings() throws(KVMError) {
        var capability = kvm_enable_cap()
        capability.cap = UInt32(KVM_CAP_DIRTY_LOG_RING)
        capability.args.0 = UInt64(DirtyRing.size)
        try kvm { () throws(SystemError) in
            try descriptor.control("KVM_ENABLE_CAP", AERIE_KVM_ENABLE_CAP, &capability)
        }
    }

    /// A vCPU's ring, from its descriptor.
    func addDirtyRing(of vcpu: Int32) throws(KVMError) {
        let mapping = try kvm { () throws(SystemError) in
            try Mapping(
                count: DirtyRing.size, flags: MAP_SHARED, descriptor: vcpu,
                offset: UInt64(AERIE_KVM_DIRTY_RING_PAGE) * 4096)
        }
        let ring = SharedDirtyRing(mapping)
        rings.withLock { $0.append(ring) }
    }
}

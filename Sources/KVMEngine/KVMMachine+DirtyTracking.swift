internal import CKVM
internal import Glibc
internal import HostSystem
internal import Synchronization

extension KVMMachine {
    /// How the kernel tracks the dirty pages of `dirtyLogged` memory.
    package enum DirtyTracking: Sendable {
        /// A bitmap for each memory slot (KVM_GET_DIRTY_LOG). A call's cost grows with the size of the memory.
        case bitmap
        /// A ring for each vCPU with 16 bytes for each entry (KVM_CAP_DIRTY_LOG_RING_ACQ_REL). A call's cost grows with the
        /// number of dirty pages. A vCPU whose ring is full exits to have it harvested. A kernel without rings uses bitmaps.
        ///
        /// - Parameter entries: a power of two from 1024 to 65536, reduced to the kernel's limit.
        case rings(entries: Int)
    }

    private static let page: UInt64 = 4096

    /// Returns and clears the dirty pages of a `dirtyLogged` memory slot: page numbers in the slot, ascending. Read the pages'
    /// contents after the call.
    ///
    /// A page that a running vCPU writes during the call, or shortly before it, appears in this call's result or in the next
    /// one's: the processor may buffer dirty pages until the vCPU exits. A call while all vCPUs are stopped returns the rest.
    /// After a ring overrun the result is all pages.
    package func takeDirtyPages(of slot: UInt32) throws(KVMError) -> [UInt64] {
        let size = memorySlots.withLock { slots in slots.first { $0.region.slot == slot }?.region.memory_size ?? 0 }
        precondition(size > 0, "slot \(slot) is not mapped")
        if ringEntries > 0 { return try takeHarvestedPages(of: slot) }
        var pages = DirtyBitmap(count: size / Self.page)
        try pages.withWords { words throws(KVMError) in
            var log = kvm_dirty_log()
            log.slot = slot
            log.dirty_bitmap = UnsafeMutableRawPointer(words)
            try kvm { () throws(SystemError) in
                try descriptor.control("KVM_GET_DIRTY_LOG", AERIE_KVM_GET_DIRTY_LOG, &log)
            }
        }
        return pages.pages
    }

    // MARK: Rings

    // The rings' lock is held from harvest to reset, for two reasons: a page may be reported only after the kernel watches it
    // again, and KVM_RESET_DIRTY_RINGS returns a count of all rings together.

    /// Enables dirty rings. Call before the first vCPU is created.
    func enableRings() throws(KVMError) {
        var capability = kvm_enable_cap()
        capability.cap = UInt32(KVM_CAP_DIRTY_LOG_RING_ACQ_REL)
        capability.args.0 = UInt64(ringEntries * DirtyRing.entrySize)
        try kvm { () throws(SystemError) in
            try descriptor.control("KVM_ENABLE_CAP", AERIE_KVM_ENABLE_CAP, &capability)
        }
    }

    /// Maps the dirty ring of the new vCPU `index` from its descriptor.
    func addRing(ofVCPU index: Int, _ vcpu: Int32) throws(KVMError) {
        let entries = ringEntries
        try rings.withLock { rings throws(KVMError) in
            let mapping = try kvm { () throws(SystemError) in
                try Mapping(
                    count: entries * DirtyRing.entrySize, flags: MAP_SHARED, descriptor: vcpu,
                    offset: UInt64(AERIE_KVM_DIRTY_RING_PAGE) * Self.page)
            }
            rings.append(DirtyRing(vcpu: index, entries: entries, mapping))
        }
    }

    /// Harvests the ring of vCPU `index`, which has exited because its ring is full.
    func drainRing(ofVCPU index: Int) throws(KVMError) {
        try rings.withLock { rings throws(KVMError) in
            for ring in rings where ring.vcpu == index { try harvest(ring, isFull: true) }
        }
    }

    private func takeHarvestedPages(of slot: UInt32) throws(KVMError) -> [UInt64] {
        try rings.withLock { rings throws(KVMError) in
            for ring in rings { try harvest(ring, isFull: false) }
            return memorySlots.withLock { slots in
                guard let index = slots.firstIndex(where: { $0.region.slot == slot }) else { return [] }
                defer { slots[index].harvested = nil }
                return slots[index].harvested?.pages ?? []
            }
        }
    }

    /// Harvests a ring and has the kernel watch its pages again.
    private func harvest(_ ring: DirtyRing, isFull: Bool) throws(KVMError) {
        let isComplete = try memorySlots.withLock { slots throws(KVMError) in
            try ring.harvest(isFull: isFull) { number, page in
                guard let index = slots.firstIndex(where: { $0.region.slot == number }) else { return }
                slots[index].updateHarvested { $0.insert(page) }
            } reset: { () throws(KVMError) in
                try kvm { () throws(SystemError) in
                    Int(try descriptor.control("KVM_RESET_DIRTY_RINGS", AERIE_KVM_RESET_DIRTY_RINGS, 0))
                }
            }
        }
        if !isComplete { try markAllDirty() }
    }

    /// After a ring overrun: marks every page as dirty and has the kernel watch all pages.
    private func markAllDirty() throws(KVMError) {
        try memorySlots.withLock { slots throws(KVMError) in
            for index in slots.indices where slots[index].isLogged {
                // Setting KVM_MEM_LOG_DIRTY_PAGES anew write-protects all pages of the slot.
                var region = slots[index].region
                region.flags &= ~AERIE_KVM_MEM_LOG_DIRTY_PAGES
                try setRegion(&region)
                try setRegion(&slots[index].region)
                slots[index].updateHarvested { $0.insertAll() }
            }
        }
    }
}

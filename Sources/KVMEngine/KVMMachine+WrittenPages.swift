internal import CKVM
internal import Glibc
internal import HostSystem
internal import Synchronization

extension KVMMachine {
    /// How the kernel keeps the pages of `logged` memory that the guest has written to.
    package enum WriteTracking: Sendable {
        /// A bit for each page: every question costs by the size of the memory.
        case log
        /// A ring for each vCPU, of 16 bytes for each of its entries: a question costs by the pages that were written to. A
        /// vCPU whose ring is full leaves the guest to have it emptied. Where the kernel has no rings, there is a log.
        ///
        /// - Parameter entries: a power of two from 1024 to 65536; as many as the kernel allows, if these are fewer.
        case rings(entries: Int)
    }

    private static let page: UInt64 = 4096

    /// The pages of a logged slot that the guest wrote to since the last call, as their numbers from the slot's beginning,
    /// ascending. Read their contents afterwards.
    ///
    /// Of a running vCPU, what it writes meanwhile, or wrote just before, is in this or in the next call's: the processor itself
    /// may keep pages until the vCPU leaves the guest. A call while all are stopped names the rest. Where the kernel has lost
    /// count of a ring, all pages are named.
    package func takeDirtyPages(of slot: UInt32) throws(KVMError) -> [UInt64] {
        let size = slots.withLock { slots in slots.first { $0.region.slot == slot }?.region.memory_size ?? 0 }
        precondition(size > 0, "dirty pages are asked of slots that are mapped")
        if ringEntries > 0 { return try takeCollectedPages(of: slot) }
        var pages = PageBitmap(count: size / Self.page)
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

    // All that follows is done under the lock of the rings: nobody may be told of a page before the kernel watches it again, and
    // the kernel tells only how many entries it has reset, not whose.

    /// Before the first vCPU.
    func enableRings() throws(KVMError) {
        var capability = kvm_enable_cap()
        capability.cap = UInt32(KVM_CAP_DIRTY_LOG_RING_ACQ_REL)
        capability.args.0 = UInt64(ringEntries * DirtyRing.entrySize)
        try kvm { () throws(SystemError) in
            try descriptor.control("KVM_ENABLE_CAP", AERIE_KVM_ENABLE_CAP, &capability)
        }
    }

    /// The ring of a new vCPU, from its descriptor.
    func addRing(of processor: Int, _ vcpu: Int32) throws(KVMError) {
        let entries = ringEntries
        try rings.withLock { rings throws(KVMError) in
            let mapping = try kvm { () throws(SystemError) in
                try Mapping(
                    count: entries * DirtyRing.entrySize, flags: MAP_SHARED, descriptor: vcpu,
                    offset: UInt64(AERIE_KVM_DIRTY_RING_PAGE) * Self.page)
            }
            rings.append(DirtyRing(processor: processor, entries: entries, mapping))
        }
    }

    /// Empties the ring of a vCPU that has left the guest because its ring is full, and that goes on afterwards.
    func emptyRing(of processor: Int) throws(KVMError) {
        try rings.withLock { rings throws(KVMError) in
            for ring in rings where ring.processor == processor { try collect(ring, isFull: true) }
        }
    }

    private func takeCollectedPages(of slot: UInt32) throws(KVMError) -> [UInt64] {
        try rings.withLock { rings throws(KVMError) in
            for ring in rings { try collect(ring, isFull: false) }
            return slots.withLock { slots in
                guard let index = slots.firstIndex(where: { $0.region.slot == slot }) else { return [] }
                defer { slots[index].written = nil }
                return slots[index].written?.pages ?? []
            }
        }
    }

    /// Takes what is in a ring, and has the kernel watch these pages again.
    private func collect(_ ring: DirtyRing, isFull: Bool) throws(KVMError) {
        let isComplete = try slots.withLock { slots throws(KVMError) in
            try ring.take(isFull: isFull) { number, page in
                guard let index = slots.firstIndex(where: { $0.region.slot == number }) else { return }
                slots[index].note { $0.insert(page) }
            } reset: { () throws(KVMError) in
                try kvm { () throws(SystemError) in
                    Int(try descriptor.control("KVM_RESET_DIRTY_RINGS", AERIE_KVM_RESET_DIRTY_RINGS, 0))
                }
            }
        }
        if !isComplete { try distrust() }
    }

    /// Entries of a ring were lost: every page counts as written to, and is watched from now on.
    private func distrust() throws(KVMError) {
        try slots.withLock { slots throws(KVMError) in
            for index in slots.indices where slots[index].isLogged {
                // Turning the log on protects all pages.
                var region = slots[index].region
                region.flags &= ~AERIE_KVM_MEM_LOG_DIRTY_PAGES
                try setRegion(&region)
                try setRegion(&slots[index].region)
                slots[index].note { $0.insertAll() }
            }
        }
    }
}

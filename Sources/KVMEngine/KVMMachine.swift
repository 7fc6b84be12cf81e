internal import CKVM
package import GuestMemory
internal import HostSystem
internal import Synchronization

/// A virtual machine of the kernel: its memory, its interrupts, and its clock. Any thread may use it.
package final class KVMMachine: Sendable {
    let descriptor: FileDescriptor
    let runAreaSize: Int
    private let slots = Mutex<[Slot]>([])

    /// A range of guest-physical addresses that is memory to the kernel.
    private struct Slot {
        let number: UInt32
        let size: UInt64
        // Keeps the mapping alive for as long as the guest can reach it.
        let memory: GuestMemory
    }

    /// Which changes of a memory range are kept track of, and whether the guest may change it at all.
    package enum MemoryAccess: Sendable {
        case readWrite
        /// Writes reach the address space's devices instead.
        case readOnly
        /// Pages that the guest writes to are told by `takeDirtyPages`.
        case logged
    }

    init(descriptor: consuming FileDescriptor, runAreaSize: Int) {
        self.descriptor = descriptor
        self.runAreaSize = runAreaSize
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

    /// The pages of a logged slot that the guest wrote to since the last call, as their numbers from the slot's beginning,
    /// ascending.
    package func takeDirtyPages(of slot: UInt32) throws(KVMError) -> [UInt64] {
        let size = slots.withLock { slots in slots.first { $0.number == slot }?.size ?? 0 }
        precondition(size > 0, "dirty pages are asked of slots that are mapped")
        var words = [UInt64](repeating: 0, count: Int((size / 4096 + 63) / 64))
        try words.withUnsafeMutableBufferPointer { buffer throws(KVMError) in
            var log = kvm_dirty_log()
            log.slot = slot
            log.dirty_bitmap = UnsafeMutableRawPointer(buffer.baseAddress)
            try kvm { () throws(SystemError) in
                try descriptor.control("KVM_GET_DIRTY_LOG", AERIE_KVM_GET_DIRTY_LOG, &log)
            }
        }
        var pages: [UInt64] = []
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                pages.append(UInt64(index * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return pages
    }
}

internal import CKVM
internal import HostSystem
internal import Synchronization

/// A vCPU's dirty ring (api.rst, 8.29): the kernel appends the pages that the vCPU dirties, this process harvests them.
///
///     entry:  0 flags (32 bits) | 4 memory slot (16 bits), address space (16 bits) | 8 page in the slot (64 bits)
///     flags:  0 free -> the kernel stores the page, then DIRTY -> we harvest it, then store RESET
///             -> KVM_RESET_DIRTY_RINGS: the kernel write-protects the page again and frees the entry
///
/// The kernel makes a vCPU exit before its ring is full, with some entries in reserve. A kernel that emulates guest code may
/// execute many instructions without checking the reserve, and overwrite entries before their harvest. The overrun is
/// detected, because the kernel's position and ours then differ, and the positions are matched again. The lost pages are
/// unknown, so all pages then count as dirty.
final class DirtyRing {
    private static let dirty: UInt32 = 1
    private static let reset: UInt32 = 2
    static let entrySize = MemoryLayout<kvm_dirty_gfn>.stride

    /// The vCPU's index.
    let vcpu: Int
    private let mapping: Mapping
    private let entries: Int
    /// The entry that the kernel resets next.
    private var next = 0
    /// Entries were lost, and the kernel's position is unknown until its next entry shows it.
    private var isAdrift = false
    /// The vCPU's last exit for a full ring found the ring empty, and no entry has been reset since.
    private var isStalled = false

    init(vcpu: Int, entries: Int, _ mapping: consuming Mapping) {
        self.vcpu = vcpu
        self.entries = entries
        self.mapping = mapping
    }

    // The flags are the first field, aligned; Atomic<UInt32> has the layout of UInt32.
    private func flags(_ entry: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt32>> {
        entry.assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    private func entry(_ index: Int) -> UnsafeMutableRawPointer {
        mapping.address + (next + index) % entries * Self.entrySize
    }

    private func load(_ index: Int) -> UInt32 { flags(entry(index)).pointee.load(ordering: .acquiring) }

    private func mark(_ index: Int) { flags(entry(index)).pointee.store(Self.reset, ordering: .releasing) }

    /// Harvests the ring's entries and has the kernel reset them.
    ///
    /// - Parameter isFull: whether the vCPU has exited for a full ring and waits.
    /// - Parameter body: receives a slot's number and a page in it. Report these pages only after this method returns: until
    ///   then the kernel does not watch them again.
    /// - Parameter reset: calls KVM_RESET_DIRTY_RINGS and returns the number of reset entries.
    /// - Returns: false when entries were lost.
    func harvest(
        isFull: Bool, _ body: (UInt32, UInt64) -> Void, reset: () throws(KVMError) -> Int
    ) throws(KVMError) -> Bool {
        // The kernel appends in order: when an entry is visible, all entries before it are.
        var count = entries
        while count > 0, load(count - 1) == 0 { count -= 1 }
        var isOverrun = false
        if count > 0 {
            isStalled = false
            let hasGaps = collect(count, body)
            // The kernel keeps a reserve, so a ring without a free entry was overrun, or nearly.
            isOverrun = count == entries || hasGaps && !isAdrift
            isAdrift = isOverrun
        } else if isFull {
            count = skip()
        }
        var done = 0
        while done < count {
            let some = try reset()
            // A signal interrupts the call, which is repeated; an entry overwritten in the meantime stops it for good.
            if some == 0, load(0) != Self.reset { break }
            done += some
            next = (next + some) % entries
        }
        if done < count { isAdrift = true }
        return !isOverrun && done == count
    }

    /// Reads the next `count` entries and marks them for reset.
    ///
    /// - Returns: whether there were free entries between them.
    private func collect(_ count: Int, _ body: (UInt32, UInt64) -> Void) -> Bool {
        var hasGaps = false
        for index in 0..<count {
            switch load(index) {
            case Self.dirty:
                let entry = entry(index)
                // The upper half of the slot field is the address space; only SMM uses another than 0.
                body(
                    entry.load(fromByteOffset: 4, as: UInt32.self) & 0xFFFF,
                    entry.load(fromByteOffset: 8, as: UInt64.self))
            case 0: hasGaps = true
            default: break
            }
            mark(index)
        }
        return hasGaps
    }

    /// Handles an exit for a full ring that is empty.
    ///
    /// At the first such exit another thread may just have harvested the ring; the kernel sees that when the vCPU runs again.
    /// At the second the kernel has overrun the ring and still counts overwritten entries. A quarter of a ring of them is
    /// reset, because a full ring counts more than that.
    ///
    /// - Returns: the number of entries marked for reset.
    private func skip() -> Int {
        let count = isStalled ? entries / 4 : 0
        isStalled = true
        for index in 0..<count { mark(index) }
        return count
    }
}

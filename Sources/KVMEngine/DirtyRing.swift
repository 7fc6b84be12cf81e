internal import CKVM
internal import HostSystem
internal import Synchronization

/// A vCPU's dirty ring (api.rst, 8.29): the kernel appends the pages that the vCPU writes to, this process takes them.
///
///     entry:  0 flags (32 bits) | 4 slot (16 bits), address space (16 bits) | 8 page of the slot (64 bits)
///     flags:  0 free -> the kernel stores the page, then DIRTY -> we take it, then store RESET
///             -> the kernel, asked by KVM_RESET_DIRTY_RINGS, watches the page again and frees the entry
///
/// The kernel lets a vCPU out before its ring is full, with some entries in reserve. One that executes much guest code in one go,
/// as an emulator may, can still write over entries that nobody has taken. This is noticed, since the kernel's place and ours
/// then differ, and the ring finds its place again; which pages are lost is not known, so that they count as all.
final class DirtyRing {
    private static let dirty: UInt32 = 1
    private static let reset: UInt32 = 2
    static let entrySize = MemoryLayout<kvm_dirty_gfn>.stride

    /// The number of the vCPU.
    let processor: Int
    private let mapping: Mapping
    private let entries: Int
    /// The entry that the kernel resets next.
    private var next = 0
    /// After entries were lost: the kernel appends somewhere behind `next`, which its next entry will show.
    private var isAdrift = false
    /// Whether the vCPU left the guest for its full ring when nothing was in it, and nothing has been reset since.
    private var isStalled = false

    init(processor: Int, entries: Int, _ mapping: consuming Mapping) {
        self.processor = processor
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

    /// Takes what is in the ring.
    ///
    /// - Parameter isFull: whether the kernel said so, and its vCPU waits.
    /// - Parameter body: is called with slots and pages in them, about which nobody is to be told before this returns.
    /// - Parameter reset: has the kernel reset entries, and returns how many it did.
    /// - Returns: whether that was all; otherwise there were entries that were lost.
    func take(
        isFull: Bool, _ body: (UInt32, UInt64) -> Void, reset: () throws(KVMError) -> Int
    ) throws(KVMError) -> Bool {
        // The kernel appends in order: whoever sees an entry sees all before it.
        var count = entries
        while count > 0, load(count - 1) == 0 { count -= 1 }
        var isOverrun = false
        if count > 0 {
            isStalled = false
            let hasGaps = harvest(count, body)
            // The kernel keeps a reserve, so that a ring without any free entry was overrun, or nearly.
            isOverrun = count == entries || hasGaps && !isAdrift
            isAdrift = isOverrun
        } else if isFull {
            count = skip()
        }
        var done = 0
        while done < count {
            let some = try reset()
            // A signal cuts the call short; an entry that was overwritten meanwhile stops it for good.
            if some == 0, load(0) != Self.reset { break }
            done += some
            next = (next + some) % entries
        }
        if done < count { isAdrift = true }
        return !isOverrun && done == count
    }

    /// Takes the next `count` entries.
    ///
    /// - Returns: whether there were gaps between them.
    private func harvest(_ count: Int, _ body: (UInt32, UInt64) -> Void) -> Bool {
        var hasGaps = false
        for index in 0..<count {
            switch load(index) {
            case Self.dirty:
                let entry = entry(index)
                // The upper half of the slot's number is the address space; only SMM would have another one.
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

    /// The kernel takes the ring for full, and it is empty. Another thread may just have emptied it, which the kernel sees when
    /// the vCPU goes on. If it still does not, it has run around the ring, and counts entries that were overwritten: a quarter of
    /// a ring of these is given back, since a full one counts more than that.
    ///
    /// - Returns: how many entries are marked.
    private func skip() -> Int {
        let count = isStalled ? entries / 4 : 0
        isStalled = true
        for index in 0..<count { mark(index) }
        return count
    }
}

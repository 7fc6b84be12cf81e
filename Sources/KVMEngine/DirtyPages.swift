internal import CKVM
internal import HostSystem
internal import Synchronization

/// The pages that a guest has written to, as numbers from the beginning of a slot: bits in words.
struct PageBitmap {
    private var words: [UInt64]

    /// No page of `count`.
    init(count: UInt64) {
        words = [UInt64](repeating: 0, count: Int((count + 63) / 64))
    }

    /// Takes a page up, unless the slot has no such page.
    mutating func insert(_ page: UInt64) {
        let index = Int(page / 64)
        if words.indices.contains(index) { words[index] |= 1 << (page % 64) }
    }

    /// For the kernel to fill.
    mutating func withWords<Result>(
        _ body: (UnsafeMutablePointer<UInt64>?) throws(KVMError) -> Result
    ) throws(KVMError) -> Result {
        try words.withUnsafeMutableBufferPointer { buffer throws(KVMError) in try body(buffer.baseAddress) }
    }

    /// Ascending.
    var pages: [UInt64] {
        var result: [UInt64] = []
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                result.append(UInt64(index * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return result
    }
}

/// A vCPU's dirty ring (api.rst, 8.29): the kernel appends pages when they are first written to, this process takes them.
///
/// The order of flags is the protocol: DIRTY is set by the kernel last, RESET is set here last; then the kernel, asked by
/// KVM_RESET_DIRTY_RINGS, watches the page again and clears both.
struct DirtyRing: ~Copyable, Sendable {
    static let entries = 4096
    static let size = entries * MemoryLayout<kvm_dirty_gfn>.stride
    // KVM_DIRTY_GFN_F_DIRTY and KVM_DIRTY_GFN_F_RESET.
    private static let dirty: UInt32 = 1
    private static let reset: UInt32 = 2

    private let mapping: Mapping
    private var next = 0

    init(_ mapping: consuming Mapping) {
        self.mapping = mapping
    }

    /// Takes what is in the ring, and calls `body` with slots and pages in them.
    ///
    /// - Returns: how many there were.
    mutating func take(_ body: (UInt32, UInt64) -> Void) -> Int {
        var count = 0
        while count < Self.entries {
            let entry = mapping.address + next % Self.entries * MemoryLayout<kvm_dirty_gfn>.stride
            // The flags are the first field, aligned; Atomic<UInt32> has the layout of UInt32.
            let flags = entry.assumingMemoryBound(to: Atomic<UInt32>.self)
            guard flags.pointee.load(ordering: .acquiring) & (Self.dirty | Self.reset) == Self.dirty else { break }
            // The upper half of the slot's number is the address space, which only SMM would have another of.
            body(
                entry.load(fromByteOffset: 4, as: UInt32.self) & 0xFFFF, entry.load(fromByteOffset: 8, as: UInt64.self))
            flags.pointee.store(Self.reset, ordering: .releasing)
            next += 1
            count += 1
        }
        return count
    }
}

/// A ring behind a lock: an array takes no value without copies.
final class SharedDirtyRing: Sendable {
    private let ring: Mutex<DirtyRing>

    init(_ mapping: consuming Mapping) {
        ring = Mutex(DirtyRing(mapping))
    }

    func take(_ body: (UInt32, UInt64) -> Void) -> Int { ring.withLock { $0.take(body) } }
}

import Support

/// A guest's second stage (G-stage): Sv39x4 tables from guest-physical to board addresses, in pages of 2 MiB. Tables lie in
/// a chunk of the guest's own; a guest of 64 GiB needs less than one.
struct GuestTables {
    /// V R W X U A D: the second stage checks every access as a user's.
    private static let leaf: UInt64 = 0xdf
    private static let device: UInt64 = 0xd7
    static let memoryStart: UInt64 = 0x8000_0000

    private(set) var root: UInt64 = 0
    private var next: UInt64 = 0

    /// - Parameter chunk: a zeroed chunk; the root takes its first 16 KiB (Sv39x4 widens the root to 2048 entries).
    mutating func configure(chunk: UInt64) {
        root = chunk
        next = chunk + 16384
    }

    /// Maps one chunk. At most 18 tables come from the chunk: the guest's memory is bounded.
    mutating func map(_ guestAddress: UInt64, to chunk: UInt64) {
        let middle = table(pointer(root + 8 * (guestAddress >> 30 & 2047)))
        middle[Int(guestAddress >> 21 & 511)] = chunk >> 2 | Self.leaf
    }

    /// Maps a page of a device's registers, which is no memory to `translate`.
    mutating func map(device guestAddress: UInt64, to page: UInt64) {
        let middle = table(pointer(root + 8 * (guestAddress >> 30 & 2047)))
        table(middle + Int(guestAddress >> 21 & 511))[Int(guestAddress >> 12 & 511)] = page >> 2 | Self.device
    }

    /// The table that an entry names, made if there is none.
    private mutating func table(_ entry: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64> {
        if entry.pointee == 0 {
            entry.pointee = next >> 2 | 1
            next += 4096
        }
        return pointer(frame(entry.pointee))
    }

    /// Where the board has a guest-physical address, and how many bytes follow there. nil: no memory.
    func translate(_ guestAddress: UInt64) -> (address: UInt64, length: UInt64)? {
        guard root != 0, guestAddress < 1 << 41 else { return nil }
        let top: UnsafeMutablePointer<UInt64> = pointer(root + 8 * (guestAddress >> 30 & 2047))
        guard top.pointee & 1 == 1 else { return nil }
        let middle: UnsafeMutablePointer<UInt64> = pointer(frame(top.pointee))
        let entry = middle[Int(guestAddress >> 21 & 511)]
        guard entry & Self.leaf == Self.leaf else { return nil }
        let offset = guestAddress & (ChunkAllocator.chunkSize - 1)
        return (frame(entry) | offset, ChunkAllocator.chunkSize - offset)
    }

    /// Copies into the guest. False: a part of the range is no memory of the guest.
    func write(_ guestAddress: UInt64, from source: UnsafeRawPointer, _ count: UInt64) -> Bool {
        var done: UInt64 = 0
        while done < count {
            guard let (address, length) = translate(guestAddress &+ done) else { return false }
            let part = min(length, count - done)
            let target: UnsafeMutablePointer<UInt8> = pointer(address)
            UnsafeMutableRawPointer(target).copyMemory(from: source + Int(done), byteCount: Int(part))
            done += part
        }
        return true
    }

    /// hgatp: mode 8 is Sv39x4, the VMID from bit 44.
    func hgatp(vmid: UInt64) -> UInt64 { 8 << 60 | vmid << 44 | root >> 12 }
}

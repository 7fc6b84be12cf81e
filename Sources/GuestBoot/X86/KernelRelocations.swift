internal import GuestMemory

/// The table with which an x86-64 kernel is moved to other virtual addresses (Linux, arch/x86/tools/relocs.c): little-endian
/// words of 32 bits behind the ELF file, each the virtual address of a place, in lists that begin with a 0:
///
///     places of 64 bits that grow by the distance
///     places of 32 bits that shrink by it: offsets from the kernel's code to what does not move (before Linux 6.15)
///     places of 32 bits that grow by it
struct KernelRelocations {
    private let grow64: [UInt32]
    private let shrink32: [UInt32]
    private let grow32: [UInt32]

    /// A kernel has some hundred thousand.
    private static let sizeLimit: UInt64 = 16 << 20

    /// - Returns: nil when what stands there is no such table.
    init?(_ source: BootSource, from offset: UInt64) throws(BootError) {
        let size = source.size - offset
        guard size % 4 == 0, size <= Self.sizeLimit else { return nil }
        let words = try source.bytes(at: offset, count: Int(size)).withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
            }
        }
        guard words.first == 0 else { return nil }
        let lists = words.dropFirst().split(separator: 0, omittingEmptySubsequences: false).map(Array.init)
        guard lists.count == 2 || lists.count == 3 else { return nil }
        grow64 = lists[0]
        shrink32 = lists.count == 3 ? lists[1] : []
        grow32 = lists[lists.count - 1]
    }

    /// Moves a kernel that lies in `size` bytes of memory from `base` on.
    ///
    /// - Throws: `corrupt` for places outside of it; some may have been changed by then.
    func apply(
        _ distance: UInt64, base: UInt64, size: UInt64, memory: GuestMemory, item: BootItem
    ) throws(BootError) {
        func change<Integer: FixedWidthInteger & BitwiseCopyable>(
            _ places: [UInt32], _ change: (Integer) -> Integer
        ) throws(BootError) {
            let count = UInt64(MemoryLayout<Integer>.size)
            for place in places {
                let virtual = UInt64(bitPattern: Int64(Int32(bitPattern: place)))
                let address = virtual &- UnpackedKernel.virtualBase
                let outside = BootError.corrupt(item, reason: "it relocates \(hexadecimal(virtual)), where it is not")
                guard size >= count, address >= base, address - base <= size - count else { throw outside }
                do throws(GuestMemoryError) {
                    try memory.store(change(try memory.load(Integer.self, at: address)), at: address)
                } catch {
                    throw outside
                }
            }
        }
        let half = UInt32(truncatingIfNeeded: distance)
        try change(grow64) { (value: UInt64) in value &+ distance }
        try change(shrink32) { (value: UInt32) in value &- half }
        try change(grow32) { (value: UInt32) in value &+ half }
    }
}

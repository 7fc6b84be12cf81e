internal import GuestMemory

/// The addresses above 4 GiB and above all memory where guests place registers of 64 bits.
enum PCIHighWindow {
    /// 16 GiB, at a multiple of that: as QEMU's `virt` has it.
    private static let size: UInt64 = 1 << 34

    static func above(_ memory: GuestMemory) -> (base: UInt64, size: UInt64) {
        let end = memory.ranges.map { $0.base + $0.size }.max() ?? 0
        // Memory has at most 2^40 bytes, with gaps of less than 4 GiB.
        return (max(1, (end + size - 1) / size) * size, size)
    }
}

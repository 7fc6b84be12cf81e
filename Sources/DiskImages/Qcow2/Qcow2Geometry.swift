/// The sizes of a qcow2 image's structures, which follow from two fields of its header.
struct Qcow2Geometry: Equatable, Sendable {
    /// Clusters have 512 B to 2 MiB, as in QEMU.
    static let clusterBitsRange = 9...21
    static let refcountOrderRange = 0...6
    /// QEMU's limits, in bytes. They bound what an image can make the host allocate.
    static let longestL1Table: UInt64 = 32 << 20
    static let longestRefcountTable: UInt64 = 8 << 20
    /// Descriptors have 56 bits for an offset in the file.
    static let fileLimit: UInt64 = 1 << 56

    /// The logarithm of a cluster's size.
    let clusterBits: Int
    /// The logarithm of a reference count's width in bits.
    let refcountOrder: Int

    var clusterSize: UInt64 { 1 << UInt64(clusterBits) }
    /// The logarithm of the number of entries in an L2 table.
    var l2Bits: Int { clusterBits - 3 }
    /// Guest bytes behind one L2 table.
    var l2Coverage: UInt64 { 1 << UInt64(clusterBits + l2Bits) }
    /// The logarithm of the number of reference counts in a block.
    var refcountBlockBits: Int { clusterBits + 3 - refcountOrder }
    /// The largest reference count.
    var largestRefcount: UInt64 { refcountOrder == 6 ? .max : 1 << (1 << UInt64(refcountOrder)) - 1 }
    /// The bytes of a table that are read and written together.
    var pageSize: Int { min(4096, 1 << clusterBits) }

    /// The number of clusters that hold `count` bytes.
    func clusters(holding count: UInt64) -> UInt64 {
        count >> UInt64(clusterBits) + (count & (clusterSize - 1) == 0 ? 0 : 1)
    }

    func isAligned(_ offset: UInt64) -> Bool { offset & (clusterSize - 1) == 0 }

    /// The number of L1 entries for a disk of `size` bytes.
    func l1Count(for size: UInt64) -> UInt64 { (size + l2Coverage - 1) / l2Coverage }
}

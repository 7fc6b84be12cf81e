/// Where the contents of a guest cluster are, by its entry in an L2 table (QEMU's docs/interop/qcow2, "L2 table entry").
///
///     bit      63  the host clusters have a reference count of 1     bit      62  compressed
///     not compressed:                                               compressed, x = 62 - (logarithm of cluster size - 8):
///     bits  9..55  offset in the file                               bits 0..x-1   offset in the file
///     bit       0  the cluster is zero (version 3)                  bits x..61    further sectors that the data touch
enum Qcow2Content: Equatable, Sendable {
    /// A cluster of the file.
    struct Host: Equatable, Sendable {
        var offset: UInt64
        /// Nothing else refers to the cluster, so that it may be written to.
        var isOwned: Bool
    }

    struct CompressedData: Equatable, Sendable {
        let offset: UInt64
        /// The most bytes that the data have.
        let count: Int
    }

    /// The base's contents, or zeroes without one.
    case unallocated
    /// Zeroes. A host cluster may be kept for later.
    case zero(Host?)
    case data(Host)
    case compressed(CompressedData)

    static let ownedFlag: UInt64 = 1 << 63
    static let zeroFlag: UInt64 = 1
    static let offsetMask: UInt64 = 0x00FF_FFFF_FFFF_FE00
    private static let compressedFlag: UInt64 = 1 << 62

    /// The entry's meaning; nil when it is not valid.
    init?(entry: UInt64, geometry: Qcow2Geometry, hasZeroFlag: Bool) {
        if entry & Self.compressedFlag != 0 {
            let offsetBits = UInt64(62 - (geometry.clusterBits - 8))
            let offset = entry & (1 << offsetBits - 1)
            let sectors = (entry & (Self.compressedFlag - 1)) >> offsetBits + 1
            guard entry & Self.ownedFlag == 0, offset > 0, offset < Qcow2Geometry.fileLimit else { return nil }
            let count = Int(sectors * sectorSize - offset % sectorSize)
            self = .compressed(CompressedData(offset: offset, count: count))
            return
        }
        let offset = entry & Self.offsetMask
        let isZero = entry & Self.zeroFlag != 0
        guard entry & ~(Self.offsetMask | Self.ownedFlag | Self.zeroFlag) == 0, geometry.isAligned(offset),
            !isZero || hasZeroFlag
        else { return nil }
        let host = offset == 0 ? nil : Host(offset: offset, isOwned: entry & Self.ownedFlag != 0)
        if isZero {
            self = .zero(host)
        } else if let host {
            self = .data(host)
        } else {
            self = .unallocated
        }
    }

    /// The clusters of the file that the entry refers to, by their number.
    func hostClusters(_ geometry: Qcow2Geometry) -> Range<UInt64>? {
        let bits = UInt64(geometry.clusterBits)
        switch self {
        case .unallocated, .zero(nil): return nil
        case .zero(let host?), .data(let host): return host.offset >> bits..<host.offset >> bits + 1
        case .compressed(let data):
            return data.offset >> bits..<(data.offset + UInt64(data.count) - 1) >> bits + 1
        }
    }

    /// The contents `distance` bytes further in the same file; nil when only the entry there can say.
    func advanced(by distance: UInt64) -> Qcow2Content? {
        switch self {
        case .unallocated: .unallocated
        case .zero(nil): .zero(nil)
        case .zero(let host?): .zero(Host(offset: host.offset + distance, isOwned: host.isOwned))
        case .data(let host): .data(Host(offset: host.offset + distance, isOwned: host.isOwned))
        case .compressed: nil
        }
    }
}

/// Guest bytes whose contents lie together.
struct Qcow2Part: Equatable, Sendable {
    /// In guest bytes.
    let range: Range<UInt64>
    /// Of the first byte; for compressed data, of its cluster.
    let content: Qcow2Content

    var count: UInt64 { range.upperBound - range.lowerBound }
}

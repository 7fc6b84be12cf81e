internal import Synchronization

/// The clusters of a qcow2 image that hold its header and its tables: no guest may write there, whatever the image says.
final class Qcow2Structures: Sendable {
    // Offsets in the file, sorted.
    private let offsets: Mutex<[UInt64]>
    private let clusterSize: UInt64

    /// Collects the structures of an image.
    ///
    /// - Throws: `damaged` when two of them share a cluster.
    init(_ header: Qcow2Header, l1: [UInt64], refcountTable: [UInt64], path: String) throws(DiskImageError) {
        let geometry = header.geometry
        clusterSize = geometry.clusterSize
        var all: [UInt64] = [0]
        func append(_ offset: UInt64, clusters: UInt64) {
            for cluster in 0..<clusters { all.append(offset + cluster * geometry.clusterSize) }
        }
        append(header.l1Offset, clusters: geometry.clusters(holding: UInt64(header.l1Count) * 8))
        append(header.refcountTableOffset, clusters: UInt64(header.refcountTableClusters))
        all += l1.map { $0 & Qcow2Content.offsetMask }.filter { $0 != 0 }
        all += refcountTable.filter { $0 != 0 }
        all.sort()
        for (offset, next) in zip(all, all.dropFirst()) where offset == next {
            throw .damaged(path: path, found: "two structures are at offset \(offset)")
        }
        offsets = Mutex(all)
    }

    /// Whether bytes of the file belong to a structure.
    func overlap(_ range: Range<UInt64>) -> Bool {
        offsets.withLock { offsets in
            let first = Self.position(of: range.lowerBound / clusterSize * clusterSize, in: offsets)
            return first < offsets.count && offsets[first] < range.upperBound
        }
    }

    func insert(_ offset: UInt64) {
        offsets.withLock { $0.insert(offset, at: Self.position(of: offset, in: $0)) }
    }

    func remove(_ offset: UInt64) {
        offsets.withLock { offsets in
            let index = Self.position(of: offset, in: offsets)
            if index < offsets.count, offsets[index] == offset { offsets.remove(at: index) }
        }
    }

    /// The first place whose offset is not less.
    private static func position(of offset: UInt64, in offsets: [UInt64]) -> Int {
        var (low, high) = (0, offsets.count)
        while low < high {
            let middle = (low + high) / 2
            if offsets[middle] < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

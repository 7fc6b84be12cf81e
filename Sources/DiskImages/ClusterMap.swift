internal import Glibc
internal import HostSystem
internal import Synchronization

/// One bit for each cluster of a disk, shared by threads. The host provides memory only for the parts that are used.
final class ClusterMap: Sendable {
    private typealias Word = Atomic<UInt64>

    private let mapping: Mapping

    /// A map of `count` clear bits.
    init(count: UInt64) throws(SystemError) {
        let bytes = (count / 8 + 8 + 4095) / 4096 * 4096
        mapping = try Mapping(count: Int(bytes), flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
    }

    private func word(_ index: UInt64) -> UnsafeMutablePointer<Word> {
        // Atomic<UInt64> has the layout of UInt64, the mapping is page-aligned, and zero bytes are the value 0.
        precondition(index / 8 < UInt64(mapping.count), "a bit lies within its map")
        return (mapping.address + Int(index / 64 * 8)).assumingMemoryBound(to: Word.self)
    }

    /// Whether `cluster` is marked; what was written before it was marked is visible then.
    func contains(_ cluster: UInt64) -> Bool {
        word(cluster).pointee.load(ordering: .acquiring) >> (cluster % 64) & 1 == 1
    }

    /// Whether all of `clusters` are marked.
    func contains(all clusters: Range<UInt64>) -> Bool {
        runLength(from: clusters.lowerBound, limit: clusters.upperBound, marked: true) == UInt64(clusters.count)
    }

    /// Marks `clusters`.
    func insert(_ clusters: Range<UInt64>) {
        var next = clusters.lowerBound
        while next < clusters.upperBound {
            let end = min(clusters.upperBound, (next / 64 + 1) * 64)
            let mask = (end - next == 64 ? ~0 : (UInt64(1) << (end - next)) - 1) << (next % 64)
            word(next).pointee.bitwiseOr(mask, ordering: .releasing)
            next = end
        }
    }

    /// How many clusters from `start` on, below `limit`, are all marked or all unmarked.
    func runLength(from start: UInt64, limit: UInt64, marked: Bool) -> UInt64 {
        var next = start
        while next < limit {
            let bits = word(next).pointee.load(ordering: .acquiring)
            let differing = (marked ? ~bits : bits) >> (next % 64)
            if differing != 0 { return min(next + UInt64(differing.trailingZeroBitCount), limit) - start }
            next = (next / 64 + 1) * 64
        }
        return limit - start
    }
}

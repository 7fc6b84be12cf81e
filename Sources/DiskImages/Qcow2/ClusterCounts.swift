internal import Glibc
internal import HostSystem

/// The references to each cluster of a file, as `Qcow2Checker` finds them. The host gives memory only for parts that are used.
struct ClusterCounts: ~Copyable {
    private let mapping: Mapping
    /// Clusters of the file.
    let count: UInt64

    init(count: UInt64) throws(DiskImageError) {
        self.count = count
        do {
            mapping = try Mapping(
                count: Int((count * 4 + 4095) / 4096 * 4096), flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
        } catch {
            throw .system(error)
        }
    }

    private func place(_ cluster: UInt64) -> UnsafeMutablePointer<UInt32> {
        // The mapping is aligned and has 4 bytes for each cluster.
        mapping.address.assumingMemoryBound(to: UInt32.self) + Int(cluster)
    }

    /// A cluster's references; 0 behind the end of the file.
    subscript(_ cluster: UInt64) -> UInt64 { cluster < count ? UInt64(place(cluster).pointee) : 0 }

    /// Counts one more reference.
    func add(_ cluster: UInt64) { if place(cluster).pointee < .max { place(cluster).pointee += 1 } }
}

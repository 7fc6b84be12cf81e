internal import Glibc
package import HostSystem
internal import Synchronization

/// Bytes of a device that vCPUs fetch and load without asking the device, such as the cells of a flash bank.
///
/// Stores of the guest always go to the device. The memory takes a page of the host at the first write to it.
package final class DeviceMemory: @unchecked Sendable {
    // @unchecked: the mapping never changes after init. vCPUs read its bytes while the device writes them, as on any machine with
    // shared memory: each byte is the old one or the new one.

    private let mapping: Mapping
    private let readable = Atomic(true)

    /// Zeroed memory of `size` bytes: a multiple of 4096, more than 0.
    package init(size: Int) throws(SystemError) {
        precondition(size > 0 && size % 4096 == 0, "device memory is whole pages")
        mapping = try Mapping(count: size, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
    }

    package var bytes: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: mapping.address, count: mapping.count)
    }

    package var size: UInt64 { UInt64(mapping.count) }

    /// Whether loads find the bytes. If false, the device answers them from its registers. Fetches always find the bytes.
    package var isReadable: Bool {
        get { readable.load(ordering: .acquiring) }
        set { readable.store(newValue, ordering: .releasing) }
    }
}

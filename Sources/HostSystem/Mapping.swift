internal import CLinux
internal import Glibc

/// An owned memory mapping, unmapped when the value is destroyed.
package struct Mapping: ~Copyable, @unchecked Sendable {
    // @unchecked: the address does not change after init, and the memory is mapped until deinit. Synchronizing accesses to
    // the bytes is the duty of the mapping's user.
    package let address: UnsafeMutableRawPointer
    /// Bytes; a multiple of the page size.
    package let count: Int

    /// Maps `count` bytes of `descriptor` from `offset`, or anonymous memory with MAP_ANONYMOUS in `flags`.
    package init(
        count: Int, protection: Int32 = PROT_READ | PROT_WRITE, flags: Int32, descriptor: Int32 = -1, offset: UInt64 = 0
    ) throws(SystemError) {
        guard let address = mmap(nil, count, protection, flags, descriptor, off_t(offset)), address != MAP_FAILED else {
            throw .last("mmap of \(count) bytes")
        }
        self.address = address
        self.count = count
    }

    deinit { munmap(address, count) }
}

/// Creates a memory file (memfd_create), which can be shared, sealed and mapped more than once.
package func makeMemoryFile(name: String, size: UInt64) throws(SystemError) -> FileDescriptor {
    let file = FileDescriptor(owning: try checked("memfd_create") { aerie_memfd_create(name) })
    try file.truncate(to: size)
    return file
}

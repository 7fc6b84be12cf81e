internal import CLinux
internal import Glibc

/// A mapping of memory into this process, unmapped when the owner goes away.
package struct Mapping: ~Copyable, @unchecked Sendable {
    // @unchecked: the address never changes after init and the memory lives until deinit; what threads do with the
    // bytes is the business of the mapping's user.
    package let address: UnsafeMutableRawPointer
    /// Bytes; a multiple of the page size.
    package let count: Int

    /// Maps `count` bytes of `descriptor` from `offset`, or anonymous memory when there is no descriptor.
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

/// Creates anonymous memory that has a descriptor, so that it can be shared, sealed and mapped more than once.
package func makeMemoryFile(name: String, size: UInt64) throws(SystemError) -> FileDescriptor {
    let file = FileDescriptor(owning: try checked("memfd_create") { aerie_memfd_create(name) })
    try file.truncate(to: size)
    return file
}

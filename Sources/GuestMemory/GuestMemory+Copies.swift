internal import Glibc
package import HostSystem
internal import Synchronization

/// What copies of a guest's memory begin with.
extension GuestMemory {
    /// The files that private memory began with, which do not change; nil for memory that began with zeroes.
    package var contents: MemorySource? { backing.withLock { $0.beginning?.contents } }

    /// The next range from an offset on whose pages were written since the memory began with its contents; nil when there is none, and for
    /// memory that began with zeroes. Offsets count from `hostBase`.
    package func nextWritten(from offset: UInt64) throws(SystemError) -> Swift.Range<UInt64>? {
        guard offset < size, let beginning = backing.withLock({ $0.beginning }) else { return nil }
        return try beginning.nextWritten(offset..<size, hostBase)
    }

    /// Whether `freeze` can do its work: the memory is a file of this process.
    package var canFreeze: Bool { pageTable != nil && !backing.withLock { $0.isPrivate } }

    /// Makes what the memory has now its contents to begin with: its file does not change any more, and a page that is written from now on is
    /// copied first. Nothing else accesses the memory meanwhile, and nothing is copied here.
    ///
    /// What `discard` gives back later reads as it was at this moment, and stays in the file.
    ///
    /// - Returns: the contents, which are in the file that has been the memory's.
    /// - Throws: ENOMEM where this process may not have so much private memory, EINVAL for memory that cannot be frozen; it is as before then.
    package func freeze() throws(SystemError) -> MemorySource {
        guard let pageTable, canFreeze else { throw SystemError("freezing of private memory", code: EINVAL) }
        let contents = try MemorySource(files: [file.rawValue], size: size)
        let flags = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED
        let (address, count, descriptor) = (mapping.address, mapping.count, file.rawValue)
        // Whoever allocates pages meanwhile does it for the file.
        try backing.withLock { (backing) throws(SystemError) in
            guard mmap(address, count, PROT_READ | PROT_WRITE, flags, descriptor, 0) == address
            else { throw .last("mmap of \(count) bytes") }
            backing = Backing(isPrivate: true, beginning: MemoryBeginning(contents: contents, table: pageTable))
        }
        return contents
    }
}

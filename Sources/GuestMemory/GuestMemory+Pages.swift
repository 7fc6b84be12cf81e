internal import Glibc
package import HostSystem
internal import Synchronization

/// The pages of the host behind guest memory.
extension GuestMemory {
    /// Fills bytes found by `hostAddress` with what a source has, a part after the other: the contents of a large file, say.
    ///
    /// Where a file is behind the memory, the parts are written into it: the host then allocates its pages without a page fault for each, and
    /// without zeroes first.
    ///
    /// - Parameter read: fills a buffer with the bytes from an offset on, which counts from the first byte of `target`.
    package func fill<Failure: Error>(
        _ target: UnsafeMutableRawBufferPointer,
        reading read: (_ offset: Int, UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        guard let start = target.baseAddress else { return }
        defer { noteWrite(target) }
        var done = 0
        // Pages of memory that arrives have to be there before others replace them.
        waitForPages(of: target)
        if arriving == nil, !backing.withLock({ $0.isPrivate }) {
            let part = UnsafeMutableRawBufferPointer.allocate(
                byteCount: min(target.count, Self.filledAtOnce), alignment: 16)
            defer { part.deallocate() }
            while done < target.count {
                let bytes = UnsafeMutableRawBufferPointer(rebasing: part.prefix(target.count - done))
                try read(done, bytes)
                do throws(SystemError) {
                    try file.writeAll(at: UInt64(start - hostBase + done), UnsafeRawBufferPointer(bytes))
                } catch {
                    break
                }
                done += bytes.count
            }
        }
        guard done < target.count else { return }
        let rest = UnsafeMutableRawBufferPointer(rebasing: target.dropFirst(done))
        if arriving == nil, let start = rest.baseAddress { allocateMemory(start, count: rest.count) }
        try read(done, rest)
    }

    /// Bytes of a part that stays in a processor's cache.
    private static let filledAtOnce = 256 << 10

    /// Lets the host allocate the last pages of a range, from the end on: for a guest that is about to use them, whose vCPUs do other work
    /// meanwhile. Memory that begins with contents, mergeable memory, and memory that arrives are left alone. So are the pages where the host
    /// cannot do it (before Linux 5.14).
    ///
    /// - Parameter isCancelled: asked between two parts.
    package func allocateEnd(of range: Range, count: UInt64, unless isCancelled: () -> Bool) {
        guard arriving == nil else { return }
        let end = Int(range.offset + range.size)
        let first = end - Int(min(count, range.size))
        for end in stride(from: end, to: first, by: -Self.allocatedAtOnce) {
            let start = max(first, end - Self.allocatedAtOnce)
            // Of private memory these would be copies. Memory that is frozen meanwhile waits for this part.
            let isDone = backing.withLock { !$0.isPrivate && allocateMemory(hostBase + start, count: end - start) }
            if !isDone || isCancelled() { return }
        }
    }

    /// Bytes, so that nobody waits for long.
    private static let allocatedAtOnce = 256 << 10

    /// Bytes of memory that are asked about at once.
    private static let step = 1 << 30
    /// Bytes of memory that are pushed out with one call, which the end of the machine waits for.
    private static let pushedAtOnce = 16 << 20
    private static var pageSize: Int { sysconf(Int32(_SC_PAGESIZE)) }

    /// Gives the whole pages of a guest-physical range back to the host. They read as zero afterwards, or as the contents
    /// to begin with if there are such, and the host allocates them again at the next access. For the watch of pages this is a write.
    ///
    /// - Returns: the number of bytes given back: less than `count` where the ends of the range are not ends of the host's pages, and 0
    ///   where the host refuses.
    package func discard(at address: UInt64, count: UInt64) throws(GuestMemoryError) -> UInt64 {
        guard let start = hostAddress(of: address, count: count) else {
            throw GuestMemoryError(address: address, count: count)
        }
        guard let pages = wholePages(of: UnsafeMutableRawBufferPointer(start: start, count: Int(count))) else {
            return 0
        }
        // Of a file of its own, only a hole frees pages; MADV_DONTNEED would leave them in the file.
        let advice = backing.withLock { $0.isPrivate } ? MADV_DONTNEED : MADV_REMOVE
        guard madvise(pages.baseAddress, pages.count, advice) == 0 else { return 0 }
        noteWrite(pages)
        return UInt64(pages.count)
    }

    /// Gives a guest-physical range back to the host; afterwards it reads as zero, whatever the memory began with. Where the host cannot take
    /// the pages, and where the memory begins with other contents, zeroes are written instead.
    package func discardToZero(at address: UInt64, count: UInt64) throws(GuestMemoryError) {
        guard try discard(at: address, count: count) == count else { return try clear(at: address, count: count) }
        guard let beginning = backing.withLock({ $0.beginning }), let start = hostAddress(of: address, count: count)
        else { return }
        let first = UInt64(start - hostBase)
        var position = first
        while position < first + count {
            let data: Swift.Range<UInt64>?
            do { data = try beginning.contentsData(from: position) } catch { data = position..<first + count }
            guard let data, data.lowerBound < first + count else { return }
            let part = data.clamped(to: position..<first + count)
            try clear(at: address + (part.lowerBound - first), count: UInt64(part.count))
            position = part.upperBound
        }
    }

    /// Asks the host to move the memory to its swap space; pages of a file that was mapped privately go back to the file. The contents stay,
    /// and a page comes back at the next access to it.
    ///
    /// - Parameter isCancelled: asked between two parts.
    /// - Returns: false when it was cancelled.
    /// - Throws: EINVAL where the kernel cannot do it (before Linux 5.4). A host without swap space keeps the pages, which is no error.
    package func pushOut(unless isCancelled: () -> Bool) throws(SystemError) -> Bool {
        for start in stride(from: 0, to: Int(size), by: Self.pushedAtOnce) {
            if isCancelled() { return false }
            let count = min(Self.pushedAtOnce, Int(size) - start)
            _ = try checked("madvise MADV_PAGEOUT") { madvise(hostBase + start, count, MADV_PAGEOUT) }
        }
        return true
    }

    /// The bytes of the memory that the host has allocated; a merged page counts in each memory that has it.
    package var residentSize: UInt64 {
        guard !backing.withLock({ $0.isPrivate }) else { return residentInMapping }
        var status = stat()
        guard fstat(file.rawValue, &status) == 0 else { return size }
        // st_blocks counts units of 512 bytes, whatever the file system.
        return UInt64(status.st_blocks) * 512
    }

    private var residentInMapping: UInt64 {
        var pages = [UInt8](repeating: 0, count: min(Int(size), Self.step) / Self.pageSize)
        var found: UInt64 = 0
        for start in stride(from: 0, to: Int(size), by: Self.step) {
            let count = min(Self.step, Int(size) - start)
            guard mincore(hostBase + start, count, &pages) == 0 else { return size }
            found += UInt64(pages[..<(count / Self.pageSize)].count { $0 & 1 != 0 })
        }
        return found * UInt64(Self.pageSize)
    }

    /// The next range from an offset on that may have other contents than zeroes; nil when there is none. Offsets count from `hostBase`.
    package func nextData(from offset: UInt64) throws(SystemError) -> Swift.Range<UInt64>? {
        let backing = backing.withLock { $0 }
        if let beginning = backing.beginning { return try beginning.nextData(from: offset, hostBase: hostBase) }
        guard backing.isPrivate else { return try file.nextData(from: offset) }
        // Nothing says which pages of private memory are in swap: all may have contents.
        return offset < size ? offset..<size : nil
    }
}

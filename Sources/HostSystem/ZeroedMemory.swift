internal import CLinux
internal import Glibc

/// Memory for `count` values whose bits are all 0. It costs nothing until it is used, and is given back with `free`.
package func zeroedMemory<Value: BitwiseCopyable>(_ type: Value.Type, _ count: Int) -> UnsafeMutablePointer<Value> {
    guard let memory = calloc(count, MemoryLayout<Value>.stride) else {
        fatalError("no memory for a processor's caches")
    }
    return memory.bindMemory(to: type, capacity: count)
}

/// The host's pages that lie in some bytes as a whole; nil where there is none.
package func wholePages(of bytes: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer? {
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    let start = UInt(bitPattern: bytes.baseAddress)
    let first = (start + page - 1) & ~(page - 1)
    let end = (start + UInt(bytes.count)) & ~(page - 1)
    guard first < end else { return nil }
    return UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: first), count: Int(end - first))
}

/// Lets the host allocate the whole pages of memory that is used soon, at once: a fault for each takes several times as long.
///
/// - Returns: false where the host cannot (before Linux 5.14); it allocates them at their first use then.
@discardableResult
package func allocateMemory(_ start: UnsafeMutableRawPointer, count: Int) -> Bool {
    guard let pages = wholePages(of: UnsafeMutableRawBufferPointer(start: start, count: count)) else { return true }
    // MADV_POPULATE_WRITE of madvise(2).
    return madvise(pages.baseAddress, pages.count, 23) == 0
}

/// The same for `count` values of memory of `zeroedMemory`.
@discardableResult
package func allocateMemory<Value: BitwiseCopyable>(_ start: UnsafeMutablePointer<Value>, _ count: Int) -> Bool {
    allocateMemory(UnsafeMutableRawPointer(start), count: count * MemoryLayout<Value>.stride)
}

/// Zeroes private memory, and gives its whole pages back to the host, which provides new ones when they are used.
package func clearMemory(_ start: UnsafeMutableRawPointer, count: Int) {
    guard let pages = wholePages(of: UnsafeMutableRawBufferPointer(start: start, count: count)),
        let first = pages.baseAddress, madvise(first, pages.count, MADV_DONTNEED) == 0
    else {
        memset(start, 0, count)
        return
    }
    memset(start, 0, first - start)
    memset(first + pages.count, 0, count - pages.count - (first - start))
}

/// The same for `count` values of memory of `zeroedMemory`.
package func clearMemory<Value: BitwiseCopyable>(_ start: UnsafeMutablePointer<Value>, _ count: Int) {
    clearMemory(UnsafeMutableRawPointer(start), count: count * MemoryLayout<Value>.stride)
}

/// Unmaps the program's code and constants until they are used again.
package func releaseProgram() { aerie_release_program() }

/// Gives the memory back that the heap keeps for later allocations.
package func trimHeap() { aerie_trim_heap() }

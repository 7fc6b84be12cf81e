internal import CLinux
internal import Glibc

/// Memory for `count` values whose bits are all 0. It costs nothing until it is used, and is given back with `free`.
package func zeroedMemory<Value: BitwiseCopyable>(_ type: Value.Type, _ count: Int) -> UnsafeMutablePointer<Value> {
    guard let memory = calloc(count, MemoryLayout<Value>.stride) else {
        fatalError("no memory for a processor's caches")
    }
    return memory.bindMemory(to: type, capacity: count)
}

/// Zeroes private memory, and gives its whole pages back to the host, which provides new ones when they are used.
package func clearMemory(_ start: UnsafeMutableRawPointer, count: Int) {
    let page: UInt = 4096
    let (begin, end) = (UInt(bitPattern: start), UInt(bitPattern: start) + UInt(count))
    let (first, last) = ((begin + page - 1) & ~(page - 1), end & ~(page - 1))
    guard first < last, let pages = UnsafeMutableRawPointer(bitPattern: first),
        madvise(pages, Int(last - first), MADV_DONTNEED) == 0
    else {
        memset(start, 0, count)
        return
    }
    memset(start, 0, Int(first - begin))
    memset(pages + Int(last - first), 0, Int(end - last))
}

/// The same for `count` values of memory of `zeroedMemory`.
package func clearMemory<Value: BitwiseCopyable>(_ start: UnsafeMutablePointer<Value>, _ count: Int) {
    clearMemory(UnsafeMutableRawPointer(start), count: count * MemoryLayout<Value>.stride)
}

/// Unmaps the program's code and constants until they are used again.
package func releaseProgram() { aerie_release_program() }

/// Gives the memory back that the heap keeps for later allocations.
package func trimHeap() { aerie_trim_heap() }

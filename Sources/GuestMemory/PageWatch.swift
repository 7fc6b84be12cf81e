internal import Glibc
package import Synchronization

/// Pages of guest memory that somebody relies on to stay as they are, such as pages whose code was translated.
///
/// Whoever writes to guest memory by itself says so with `noteWrite`, after the write. Guest code that runs on an engine is that
/// engine's business.
///
/// A page's version is odd while it is watched, and another one each time that it is written to after it was watched.
package final class PageWatch: @unchecked Sendable {
    // @unchecked: `versions` never changes after init, and consists of atomics.

    /// By page of the memory file. Zeroed memory costs nothing until it is used.
    private let versions: UnsafeMutablePointer<Atomic<UInt32>>
    /// How many writes to watched pages there were.
    package let changes = Atomic<UInt64>(0)
    /// Whether anything was ever watched.
    private let isUsed = Atomic<Bool>(false)

    init(pages count: Int) {
        guard let memory = calloc(count, MemoryLayout<UInt32>.stride) else { fatalError("no memory for page versions") }
        // Atomic<UInt32> has the layout of UInt32.
        versions = memory.bindMemory(to: Atomic<UInt32>.self, capacity: count)
    }

    deinit { free(versions) }

    @inline(__always)
    package func version(of page: Int) -> UInt32 { versions[page].load(ordering: .relaxed) }

    package func isWatched(_ page: Int) -> Bool { version(of: page) & 1 == 1 }

    /// Watches a page. What is read of it afterwards is as it was when the watch began, or its version changes.
    package func watch(_ page: Int) {
        isUsed.store(true, ordering: .relaxed)
        versions[page].bitwiseOr(1, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// A page was written to.
    package func noteWrite(_ page: Int) {
        var version = version(of: page)
        while version & 1 == 1 {
            let (exchanged, original) = versions[page].compareExchange(
                expected: version, desired: version &+ 1, ordering: .acquiringAndReleasing)
            if exchanged {
                changes.add(1, ordering: .releasing)
                return
            }
            version = original
        }
    }

    /// Some bytes were written to: offsets in the memory file.
    func noteWrite(from start: UInt64, count: UInt64) {
        // A watch that begins now sees what was written, or is seen here.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard count > 0, isUsed.load(ordering: .relaxed) else { return }
        for page in start >> 12...(start + count - 1) >> 12 { noteWrite(Int(page)) }
    }
}

internal import Glibc
package import Synchronization

/// Versions of the pages of guest memory, to detect writes to watched pages, such as pages with translated code.
///
/// A writer to guest memory calls `noteWrite` after the write. Engines do the same for the writes of guest code.
///
/// A page's version is odd while the page is watched. A write to a watched page increments the version and ends the watch.
package final class PageWatch: @unchecked Sendable {
    // @unchecked: `versions` never changes after init, and consists of atomics.

    /// Indexed by page of the memory file. The host allocates calloc's zeroed memory at the first access.
    private let versions: UnsafeMutablePointer<Atomic<UInt32>>
    /// Number of writes to watched pages.
    package let changes = Atomic<UInt64>(0)
    /// Whether any page was ever watched.
    private let isUsed = Atomic<Bool>(false)
    /// By page: 1 where code of a region lies that belongs to another page.
    private let followers: UnsafeMutablePointer<Atomic<UInt8>>

    init(pages count: Int) {
        guard let memory = calloc(count, MemoryLayout<UInt32>.stride) else { fatalError("no memory for page versions") }
        // Atomic<UInt32> has the layout of UInt32.
        versions = memory.bindMemory(to: Atomic<UInt32>.self, capacity: count)
        guard let bytes = calloc(count, 1) else { fatalError("no memory for marks of pages") }
        followers = bytes.bindMemory(to: Atomic<UInt8>.self, capacity: count)
    }

    deinit {
        free(versions)
        free(followers)
    }

    /// A page has code of a region that belongs to the page before it in virtual memory. Called before the page is compared for it.
    package func noteFollower(_ page: Int) {
        followers[page].store(1, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Whether `noteFollower` was called for a page. Asked after `watch`: either the one who compares sees what was written before that, or this
    /// sees the note.
    package func isFollower(_ page: Int) -> Bool { followers[page].load(ordering: .sequentiallyConsistent) == 1 }

    @inline(__always)
    package func version(of page: Int) -> UInt32 { versions[page].load(ordering: .relaxed) }

    package func isWatched(_ page: Int) -> Bool { version(of: page) & 1 == 1 }

    /// Watches a page. A write after this call changes the page's version.
    package func watch(_ page: Int) {
        isUsed.store(true, ordering: .relaxed)
        versions[page].bitwiseOr(1, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Records a write to a page, by its index in the memory file.
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

    /// Records a write to `count` bytes at offset `start` of the memory file.
    func noteWrite(from start: UInt64, count: UInt64) {
        // Pairs with the fence in `watch`: either that watch's reader sees this write, or this read sees the watch.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard count > 0, isUsed.load(ordering: .relaxed) else { return }
        for page in start >> 12...(start + count - 1) >> 12 { noteWrite(Int(page)) }
    }
}

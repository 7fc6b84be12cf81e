/// A page of guest code as it was at one time, to make code from without the translator's lock.
package struct PageSnapshot {
    /// As `TranslatedPage` has them. The addresses of its blocks count from `base`.
    let physical: UInt64
    package let base: UInt64
    package let isRelative: Bool
    let epoch: Int
    let entries: [Int: TranslatedPage.Entry]
    let samples: [Int: Int]
    /// Offsets of blocks that had code once.
    let evicted: Set<Int>
    /// The last region of the page with jumps to anywhere.
    let openRegion: TranslatedPage.OpenRegion?
    /// The page's bytes, which do not change while the snapshot is used.
    package let bytes: UnsafeRawPointer

    /// Offsets where blocks begin that have run, those with most samples first.
    var knownOffsets: [Int] { TranslatedPage.hottestFirst(evicted.union(entries.keys), samples) }
}

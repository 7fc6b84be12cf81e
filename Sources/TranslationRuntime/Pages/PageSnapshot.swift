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
    /// The page's bytes, which do not change while the snapshot is used, and behind them those of the next page if there is one.
    package let bytes: UnsafeRawPointer
    /// The page that follows in the guest's virtual memory, if blocks may go on there.
    var next: NextPage?

    /// How many bytes there are.
    package var size: Int { next == nil ? TranslatedPage.size : 2 * TranslatedPage.size }

    /// What code was made from at some places of the next page.
    func continuation(of ranges: [Range<Int>]) -> TranslatedPage.Continuation? {
        next.map {
            TranslatedPage.Continuation(
                physical: $0.physical, number: $0.number, page: $0.page,
                source: CodeSource(ranges, of: bytes + TranslatedPage.size))
        }
    }

    struct NextPage {
        let physical: UInt64
        /// Its number in guest memory, and where it lies.
        let number: Int
        let page: UnsafeRawPointer
    }

    /// Offsets where blocks begin that have run, those with most samples first.
    var knownOffsets: [Int] { TranslatedPage.hottestFirst(evicted.union(entries.keys), samples) }
}

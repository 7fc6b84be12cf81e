/// A block that is to become the start of a region.
struct RegionRequest {
    let page: TranslatedPage
    /// Of the block in its page.
    let offset: Int
    /// The page's when the block was met.
    let epoch: Int
    /// The processor that met it, for the trace.
    let processor: Int

    func isSame(as other: RegionRequest) -> Bool {
        page === other.page && offset == other.offset && epoch == other.epoch
    }
}

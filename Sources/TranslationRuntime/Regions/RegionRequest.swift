/// A block that is to become the start of a region.
struct RegionRequest {
    let page: TranslatedPage
    /// Of the block in its page.
    let offset: Int
    /// The page's when the block was met.
    let epoch: Int
    /// The processor that met it, for the trace.
    let processor: Int
    /// The guest-physical page that follows the page in the guest's virtual memory, if it is known.
    var next: UInt64?

    func isSame(as other: RegionRequest) -> Bool {
        page === other.page && offset == other.offset && epoch == other.epoch
    }
}

/// What a machine's translator has done so far.
struct TranslationCounts: Sendable {
    /// Regions that harts could enter, and those that were not made or not used because their page changed or lost its code.
    var regions = 0
    var droppedRegions = 0
    /// Regions that took the place of one before.
    var replacedRegions = 0
    /// Segments of the code cache that lost their code.
    var evictions = 0
    /// Bytes of generated code.
    var regionBytes = 0
}

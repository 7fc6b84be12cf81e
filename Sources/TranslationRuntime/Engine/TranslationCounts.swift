/// The work that a machine's translator has done so far.
package struct TranslationCounts: Sendable {
    /// Regions that processors could enter, and those that were not made or not used because their page changed or lost its code.
    package var regions = 0
    package var droppedRegions = 0
    /// Regions that took the place of one before.
    package var replacedRegions = 0
    /// Regions with blocks in the page that follows.
    package var regionsOfTwoPages = 0
    /// Segments of the code cache that lost their code.
    package var evictions = 0
    /// Pages of a saved machine's code that were asked for, and those that were damaged.
    package var adoptedPages = 0
    package var damagedPages = 0
    /// Bytes of generated code.
    package var regionBytes = 0
}

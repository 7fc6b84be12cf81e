/// The pages that were looked for in saved code, so that those which are not there are not looked for again and again.
struct SavedLookups {
    private var generations: [UInt64: UInt64] = [:]

    /// Above that, all is forgotten.
    private static let mostPages = 1 << 16

    /// Whether a page has to be looked for, and notes that it was.
    ///
    /// - Parameter generation: its contents are those of that one or a later one; nil when they are not known.
    mutating func isNew(_ physical: UInt64, _ generation: UInt64?) -> Bool {
        guard let generation else { return true }
        if let known = generations[physical], known >= generation { return false }
        if generations.count == Self.mostPages { generations.removeAll() }
        generations[physical] = generation
        return true
    }
}

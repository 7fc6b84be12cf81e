/// The pages that were looked for in saved code and not found, so that they are not looked for again and again.
struct SavedLookups {
    private var generations: [UInt64: UInt64] = [:]

    /// Above that, all is forgotten.
    private static let mostPages = 1 << 16

    /// Whether a page was looked for.
    ///
    /// - Parameter generation: its contents are those of that one or a later one; nil when they are not known.
    func has(_ physical: UInt64, _ generation: UInt64?) -> Bool {
        guard let generation, let known = generations[physical] else { return false }
        return known >= generation
    }

    /// Notes that a page was not found.
    mutating func note(_ physical: UInt64, _ generation: UInt64?) {
        guard let generation else { return }
        if generations.count == Self.mostPages { generations.removeAll() }
        generations[physical] = generation
    }
}

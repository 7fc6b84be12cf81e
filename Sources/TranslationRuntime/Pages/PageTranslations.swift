/// The translations of one guest-physical page: for the first virtual page that showed it, with constant addresses, and relative
/// ones for all others.
///
/// Kernels and programs at fixed addresses only ever need the first; libraries, which each process has somewhere else, are
/// translated twice and not once for each process.
struct PageTranslations {
    private(set) var first: TranslatedPage?
    private(set) var relative: TranslatedPage?

    /// The translations for a virtual page: its own, unless only the relative ones have code.
    func page(at virtual: UInt64) -> TranslatedPage? {
        if let first, first.virtual == virtual, first.hasCode || relative?.hasCode != true { return first }
        return relative
    }

    mutating func insert(_ page: TranslatedPage) {
        if page.isRelative { relative = page } else { first = page }
    }

    /// Whether there is code of one of them.
    var hasCode: Bool { first?.hasCode ?? false || relative?.hasCode ?? false }

    /// Lets pages go. False when none is left.
    mutating func removeAll(where isUnneeded: (TranslatedPage) -> Bool) -> Bool {
        if let page = first, isUnneeded(page) {
            page.isForgotten = true
            first = nil
        }
        if let page = relative, isUnneeded(page) {
            page.isForgotten = true
            relative = nil
        }
        return first != nil || relative != nil
    }
}

/// The translations of one guest-physical page: for the first virtual page that showed it, with constant addresses, and relative
/// ones for all others.
///
/// Kernels and programs at fixed addresses only ever need the first; libraries, which each process has somewhere else, are
/// translated twice and not once for each process.
struct PageTranslations {
    private var first: TranslatedPage?
    private var relative: TranslatedPage?

    /// The translations for a virtual page.
    func page(at virtual: UInt64) -> TranslatedPage? {
        if let first, first.virtual == virtual { return first }
        return relative
    }

    mutating func insert(_ page: TranslatedPage) {
        if page.isRelative { relative = page } else { first = page }
    }

    /// As `TranslatedPage.removeCode`; pages that have nothing to remember are let go.
    mutating func removeCode(regionThreshold: Int) -> Bool {
        if first?.removeCode(regionThreshold: regionThreshold) == false { first = nil }
        if relative?.removeCode(regionThreshold: regionThreshold) == false { relative = nil }
        return first != nil || relative != nil
    }
}

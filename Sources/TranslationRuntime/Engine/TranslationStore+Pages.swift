internal import GuestMemory

/// The pages of guest code and their translations.
extension TranslationStore {
    /// The translations of a page that a processor asks for, whether or not they agree with guest memory.
    ///
    /// - Parameter generation: the one in which the processor fetches.
    func page(at virtual: UInt64, physical: UInt64, _ generation: UInt64) -> TranslatedPage? {
        var page = pages[physical]?.page(at: virtual)
        if saved != nil, page?.hasCode != true {
            adoptPage(physical, at: virtual, generation)
            page = pages[physical]?.page(at: virtual)
        }
        page?.noteUse(in: round)
        return page
    }

    /// The same, made if need be.
    ///
    /// - Parameters:
    ///   - source: the page in guest memory.
    ///   - present: the generation in which that is looked at.
    ///   - memory: where the page is watched while code is fetched from it, if it is.
    func makePage(
        at virtual: UInt64, physical: UInt64, source: UnsafeRawPointer, present: UInt64, watchedIn memory: GuestMemory?
    ) -> TranslatedPage {
        if let known = page(at: virtual, physical: physical, present) { return known }
        let isRelative = pages[physical] != nil || options.alwaysRelative
        let page = TranslatedPage(
            virtual: isRelative ? nil : virtual, physical: physical, source: source, generation: present, round: round,
            watchedIn: memory)
        page.keeper = replaced
        pages[physical, default: PageTranslations()].insert(page)
        return page
    }

    /// Notes in which other pages a page's regions go on.
    func noteContinuations(of page: TranslatedPage) {
        for number in page.continued where continued[number]?.contains(where: { $0 === page }) != true {
            continued[number, default: []].append(page)
        }
    }

    /// Whether what regions of other pages were made from in a page still agrees with it.
    ///
    /// - Parameter number: of the page in guest memory.
    func continuationsAgree(into number: Int) -> Bool {
        guard let all = continued[number] else { return true }
        let present = all.filter { !$0.isForgotten && $0.continued.contains(number) }
        continued[number] = present.isEmpty ? nil : present
        return present.allSatisfy { $0.continuationsAgree(into: number) }
    }

    /// The page that follows, if code of it was translated before and it lies in guest memory.
    func nextPage(of page: TranslatedPage, physical: UInt64) -> PageSnapshot.NextPage? {
        if saved != nil { adoptPage(physical) }
        guard physical != page.physical, let translations = pages[physical],
            let source = (translations.relative ?? translations.first)?.source
        else { return nil }
        let offset = source - UnsafeRawPointer(memory.hostBase)
        guard 0..<Int(memory.size) ~= offset else { return nil }
        return PageSnapshot.NextPage(physical: physical, number: offset >> 12, page: source)
    }
}

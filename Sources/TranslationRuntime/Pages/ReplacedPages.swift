/// Code of pages of which the guest has changed the contents. A machine that boots with it finds the contents again that a page had before: those
/// of a kernel's page before it was patched, or before it was freed.
final class ReplacedPages {
    private(set) var pages: [TranslatedPage] = []
    private var isOn = true

    /// A program that changes its code all the time leaves as much.
    private static let mostPages = 4096

    /// - Parameter page: nothing of it changes any more.
    func add(_ page: TranslatedPage) {
        if isOn, pages.count < Self.mostPages { pages.append(page) }
    }

    /// Code is about to be removed.
    func end() {
        isOn = false
        pages = []
    }
}

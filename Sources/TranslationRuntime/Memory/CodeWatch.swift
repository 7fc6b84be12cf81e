internal import Glibc
package import GuestMemory
internal import HostSystem
internal import Synchronization

/// A processor's part in noticing stores to code that was fetched, so that nothing need be compared that did not change.
///
/// The TLB does not let stores through to watched pages, so the processor's own stores come to `noteStore`. A guest whose programs
/// announce their changes (FENCE.I) needs that only for a processor that is alone, which then calls `watch`: with several, it
/// compares pages instead. Where fetches have to see all stores, `MachineCodeWatch` makes several processors watch together.
package struct CodeWatch: ~Copyable {
    private let pages: PageWatch
    /// Host address of the first page.
    private let base: UnsafeMutableRawPointer
    /// By page: the low bits of the virtual page number by which the TLB may let stores through, 0 for none.
    private let writers: UnsafeMutablePointer<UInt32>
    /// More than one virtual page, or one that has no place in `writers`.
    private static let many = UInt32.max

    private let pageCount: Int

    private var seenChanges: UInt64 = 0
    private var isIncomplete = false

    package init(_ memory: GuestMemory) {
        pages = memory.watch
        base = memory.hostBase
        pageCount = Int(memory.size >> 12)
        writers = zeroedMemory(UInt32.self, pageCount)
    }

    deinit { free(writers) }

    /// The number of a page of memory, as `PageWatch` counts.
    package func number(_ page: UnsafeMutableRawPointer) -> Int { (page - base) >> 12 }

    /// Code is fetched from a page of memory, by the only processor: stores to it will be noticed.
    ///
    /// - Returns: whether code that belongs to another page was made from this page while nobody may have noticed stores to it: unless it agrees
    ///   (`TranslationEngine.continuationsAgree`), the processor is to do what it does for a change of code.
    package mutating func watch(_ page: UnsafeMutableRawPointer, _ data: inout SoftwareTLB) -> Bool {
        let number = number(page)
        if pages.isWatched(number) { return false }
        forbidStores(to: number, &data)
        pages.watch(number)
        return pages.isFollower(number)
    }

    /// Lets the TLB pass no more stores to a page of memory, by its number.
    package mutating func forbidStores(to number: Int, _ data: inout SoftwareTLB) {
        guard writers[number] != 0 else { return }
        data.forbidWriting(base + number << 12, virtual: writers[number] == Self.many ? nil : writers[number])
        writers[number] = 0
    }

    /// Whether stores to a page of memory are noticed.
    package func isWatched(_ page: UnsafeMutableRawPointer) -> Bool { pages.isWatched(number(page)) }

    /// Gives memory back. The TLB lets no stores through, because it is empty.
    package mutating func trim() { clearMemory(writers, pageCount) }

    /// Code is fetched from something that cannot be watched.
    package mutating func noteUnwatched() { isIncomplete = true }

    /// The processor stores to a page: after the store, or before it where no other processor can fetch in between.
    package mutating func noteStore(_ page: UnsafeMutableRawPointer) { pages.noteWrite(number(page)) }

    /// Whether the TLB may let stores at a virtual address through to a page; if so, it is noted.
    package mutating func mayWrite(_ page: UnsafeMutableRawPointer, at address: UInt64) -> Bool {
        let number = number(page)
        if pages.isWatched(number) { return false }
        let virtual = UInt32(truncatingIfNeeded: address >> 12)
        if writers[number] != virtual { writers[number] = writers[number] == 0 && virtual != 0 ? virtual : Self.many }
        return true
    }

    /// Whether anything that was fetched may have changed since this was asked last.
    package mutating func hasChanged() -> Bool {
        let changes = pages.changes.load(ordering: .acquiring)
        defer {
            seenChanges = changes
            isIncomplete = false
        }
        return changes != seenChanges || isIncomplete
    }
}

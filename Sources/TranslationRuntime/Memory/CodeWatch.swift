internal import Glibc
package import GuestMemory
internal import HostSystem
internal import Synchronization

/// Knows whether code that a hart has fetched was written to since, so that a FENCE.I need not assume it.
///
/// The hart's own stores are noticed because the TLB does not let them through to watched pages. That only works where no other
/// hart stores past this one's TLB: a hart has a watch if it is the only one.
package struct CodeWatch: ~Copyable {
    private let pages: PageWatch
    /// Host address of the first page.
    private let base: UnsafeMutableRawPointer
    /// By page: the low bits of the virtual page number by which the TLB may let stores through, 0 for none.
    private let writers: UnsafeMutablePointer<UInt32>
    /// More than one virtual page, or one that has no place in `writers`.
    private static let many = UInt32.max

    private var seenChanges: UInt64 = 0
    private var isIncomplete = false

    package init(_ memory: GuestMemory) {
        pages = memory.watch
        base = memory.hostBase
        writers = zeroedMemory(UInt32.self, Int(memory.size >> 12))
    }

    deinit { free(writers) }

    private func number(_ page: UnsafeMutableRawPointer) -> Int { (page - base) >> 12 }

    /// Code is fetched from a page of memory: stores to it will be noticed.
    package mutating func watch(_ page: UnsafeMutableRawPointer, _ data: inout SoftwareTLB) {
        let number = number(page)
        if pages.isWatched(number) { return }
        if writers[number] != 0 {
            data.forbidWriting(page, virtual: writers[number] == Self.many ? nil : writers[number])
            writers[number] = 0
        }
        pages.watch(number)
    }

    /// Code is fetched from something that cannot be watched.
    package mutating func noteUnwatched() { isIncomplete = true }

    /// The hart is about to store to a page.
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

package import GuestMemory

/// A processor that watches code together with others.
package protocol WatchingProcessor: TranslatedProcessor {
    /// Asks the processor to let its TLB pass no more stores to a page of memory (`CodeWatch.forbidStores`) before it executes any
    /// more guest code.
    ///
    /// - Returns: a number for `waitForCodeFence`.
    func requestStoreFence(to page: Int) -> UInt64
}

/// Makes stores of any processor of a machine visible to the fetches of all, with no fence in the guest's programs.
///
/// Code is only made and found in pages that are watched: `watch`. A store to a watched page comes to the run loop, which makes it
/// outside of guest code, and then calls `announceStore`: when that returns, no processor executes the replaced code.
package final class MachineCodeWatch: Sendable {
    private struct Processor: Sendable {
        // The processors own this object.
        unowned let reference: any WatchingProcessor
    }

    private let processors: [Processor]
    private let pages: PageWatch

    /// - Parameter processors: all that store to the memory. They own this object.
    package init(_ processors: [any WatchingProcessor], _ memory: GuestMemory) {
        self.processors = processors.map { Processor(reference: $0) }
        pages = memory.watch
    }

    /// Begins to watch a page of memory, by its number. The caller begins a generation and forgets its own jump cache afterwards.
    ///
    /// - Parameter processor: the calling thread's, which is not in guest code.
    package func watch(_ page: Int, for processor: any WatchingProcessor) {
        // Who looks at the page from now on lets no store through; who has looked before is asked to.
        pages.watch(page)
        let requests = others(of: processor).map { ($0, $0.requestStoreFence(to: page)) }
        for (other, request) in requests { other.waitForCodeFence(request) }
    }

    /// Makes the others leave code that a store has changed. The store is noted (`CodeWatch.noteStore`) before. The caller begins a
    /// generation and forgets its own jump cache afterwards.
    ///
    /// - Parameter processor: the calling thread's, which is not in guest code.
    package func announceStore(for processor: any WatchingProcessor) {
        let requests = others(of: processor).map { ($0, $0.requestCodeFence()) }
        for (other, request) in requests { other.waitForCodeFence(request) }
    }

    private func others(of processor: any WatchingProcessor) -> [any WatchingProcessor] {
        processors.map(\.reference).filter { $0 !== processor }
    }
}

internal import Translator

/// A region while it is made. One thread has it at a time, and needs the translator's lock for no part of `generate`.
final class RegionWork {
    let request: RegionRequest
    let snapshot: PageSnapshot
    private let builder: CodeBuilder
    private let frontEnd: any GuestFrontEnd
    /// Where the code is to go; nil when there is no room.
    var place: CodeSegments.Place?

    /// The region whose place this one takes: the same with the requested block, to which it may jump.
    private(set) var replaced: TranslatedPage.OpenRegion?
    private(set) var blocks: [GuestBlock] = []
    private(set) var isOpen = false
    /// The bytes that the blocks were lifted from.
    private(set) var source = CodeSource()
    /// The same of the next page, if there are blocks in it.
    private(set) var continuation: TranslatedPage.Continuation?
    /// The code that `builder` has generated for `place`; nil when there is nothing that a region can be made of.
    private(set) var region: TranslatedRegion?

    enum Step {
        /// The region is there, or not to be.
        case done
        /// It does not fit into its place, and has got another one.
        case again
        case noRoom
    }

    init(_ request: RegionRequest, _ snapshot: PageSnapshot, _ builder: CodeBuilder, _ frontEnd: any GuestFrontEnd) {
        self.request = request
        self.snapshot = snapshot
        self.builder = builder
        self.frontEnd = frontEnd
        replaced = snapshot.openRegion
    }

    func generate() {
        guard let place else { return }
        if blocks.isEmpty {
            if let replaced { lift(from: replaced.start, to: request.offset) }
            if !offsets.contains(request.offset) {
                replaced = nil
                lift(from: request.offset)
            }
        }
        if !blocks.isEmpty { region = builder.translateRegion(blocks, border: border, at: place.position) }
    }

    private var border: PageBorder? {
        continuation.map { PageBorder(address: snapshot.base &+ UInt64(TranslatedPage.size), physical: $0.physical) }
    }

    /// Whether the pages are those that the region was made from.
    var isCurrent: Bool {
        request.page.isCurrent(snapshot.epoch, source) && continuation?.agrees ?? true
    }

    private func lift(from offset: Int, to wanted: Int? = nil) {
        var lifter = RegionLifter(page: snapshot, frontEnd: frontEnd)
        blocks = lifter.lift(from: offset, to: wanted)
        isOpen = lifter.isOpen
        let (first, second) = lifter.covered
        source = CodeSource(first, of: snapshot.bytes)
        continuation = second.isEmpty ? nil : snapshot.continuation(of: second)
    }

    /// Where the region's blocks in its first page begin.
    private var offsets: Set<Int> { Set(blocks.filter { !$0.isBehindBorder }.map { Int($0.address & 0xFFF) }) }

    /// The region as the page notes it, if it has jumps to anywhere.
    func openRegion(in segment: Int) -> TranslatedPage.OpenRegion? {
        guard isOpen else { return nil }
        return TranslatedPage.OpenRegion(
            start: replaced?.start ?? request.offset, blocks: offsets,
            segment: segment, version: replaced.map { $0.version + 1 } ?? 0)
    }
}

internal import Translator

/// A region while it is made. One thread has it at a time, and needs the translator's lock for no part of `generate`.
final class RegionWork {
    let request: RegionRequest
    let snapshot: PageSnapshot
    private let builder: CodeBuilder
    private let features: HostFeatures
    /// Where the code is to go; nil when there is no room.
    var place: CodeSegments.Place?

    private(set) var blocks: [GuestBlock] = []
    /// What the blocks were lifted from.
    private(set) var source = CodeSource()
    /// What `builder` has generated for `place`; nil when there is nothing that a region can be made of.
    private(set) var region: TranslatedRegion?

    enum Step {
        /// The region is there, or not to be.
        case done
        /// It does not fit into its place, and has got another one.
        case again
        case noRoom
    }

    init(_ request: RegionRequest, _ snapshot: PageSnapshot, _ builder: CodeBuilder, _ features: HostFeatures) {
        self.request = request
        self.snapshot = snapshot
        self.builder = builder
        self.features = features
    }

    func generate() {
        guard let place else { return }
        if blocks.isEmpty {
            var lifter = RegionLifter(page: snapshot, features: features)
            blocks = lifter.lift(from: request.offset)
            source = CodeSource(lifter.covered, of: snapshot.bytes)
        }
        if !blocks.isEmpty { region = builder.translateRegion(blocks, at: place.position) }
    }
}

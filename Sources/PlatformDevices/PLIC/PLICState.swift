internal import SavedState

/// The registers and gateways of a PLIC, as bit maps of 32 sources a word.
struct PLICState: Equatable, Sendable {
    static let kind = "plic"
    static let priorityMask: UInt32 = 7

    /// Which bits stand for a source, a mask for each word; source 0 does not exist.
    let sourceMasks: [UInt32]
    let sources: Int
    let contexts: Int

    /// Indexed by source.
    var priorities: [UInt32]
    var pending: [UInt32]
    /// What the devices' lines show.
    var levels: [UInt32]
    /// Sources claimed and not completed: their gateways let no further request through.
    var inService: [UInt32]
    /// For each context, as many words as `sourceMasks`.
    var enables: [UInt32]
    var thresholds: [UInt32]

    var words: Int { sourceMasks.count }

    init(sources: Int, contexts: Int) {
        self.sources = sources
        self.contexts = contexts
        var masks = [UInt32](repeating: 0, count: sources / 32 + 1)
        for source in 1...sources { masks[source / 32] |= 1 << UInt32(source % 32) }
        sourceMasks = masks
        priorities = [UInt32](repeating: 0, count: sources + 1)
        pending = [UInt32](repeating: 0, count: masks.count)
        levels = pending
        inService = pending
        enables = [UInt32](repeating: 0, count: masks.count * contexts)
        thresholds = [UInt32](repeating: 0, count: contexts)
    }

    mutating func setLevel(_ source: Int, _ level: Bool) {
        let bit: UInt32 = 1 << UInt32(source % 32)
        if level { levels[source / 32] |= bit } else { levels[source / 32] &= ~bit }
        forward(word: source / 32)
    }

    /// The gateways of a word let the requests of raised lines through, one at a time. A request stays when its line falls.
    private mutating func forward(word: Int) {
        pending[word] |= levels[word] & ~inService[word]
    }

    /// The pending source with the highest priority above `threshold` that the context enables, the lowest number first.
    func best(context: Int, above threshold: UInt32) -> Int? {
        var best: Int?
        var bestPriority = threshold
        for word in 0..<words {
            var candidates = pending[word] & enables[context * words + word]
            while candidates != 0 {
                let source = word * 32 + candidates.trailingZeroBitCount
                candidates &= candidates &- 1
                if priorities[source] > bestPriority {
                    best = source
                    bestPriority = priorities[source]
                }
            }
        }
        return best
    }

    /// The level of a context's interrupt line.
    func isRaised(context: Int) -> Bool { best(context: context, above: thresholds[context]) != nil }

    /// Claims the best source for a context; 0 when there is none. The threshold does not count here (section 9).
    mutating func claim(context: Int) -> UInt32 {
        guard let source = best(context: context, above: 0) else { return 0 }
        let bit: UInt32 = 1 << UInt32(source % 32)
        pending[source / 32] &= ~bit
        inService[source / 32] |= bit
        return UInt32(source)
    }

    /// Reopens a source's gateway; ignored unless the context enables the source.
    mutating func complete(context: Int, source value: UInt32) {
        guard let source = Int(exactly: value), source <= sources else { return }
        let word = source / 32
        let bit: UInt32 = 1 << UInt32(source % 32)
        guard enables[context * words + word] & bit != 0 else { return }
        inService[word] &= ~bit
        forward(word: word)
    }

    var saved: SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        for (name, values) in [
            ("priorities", priorities), ("pending", pending), ("levels", levels), ("inService", inService),
            ("enables", enables), ("thresholds", thresholds),
        ] {
            record.set(name, values.map { UInt64($0) })
        }
        return record
    }

    /// Takes the registers from a record of a controller with as many sources and contexts.
    mutating func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        var restored = self
        let priorityMasks = [0] + [UInt32](repeating: Self.priorityMask, count: sources)
        restored.priorities = try record.words("priorities", masks: priorityMasks)
        restored.pending = try record.words("pending", masks: sourceMasks)
        restored.levels = try record.words("levels", masks: sourceMasks)
        restored.inService = try record.words("inService", masks: sourceMasks)
        restored.enables = try record.words(
            "enables", masks: Array(repeatElement(sourceMasks, count: contexts).joined()))
        restored.thresholds = try record.words(
            "thresholds", masks: [UInt32](repeating: Self.priorityMask, count: contexts))
        self = restored
    }
}

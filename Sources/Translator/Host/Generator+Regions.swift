// Regions: blocks that run often, compiled together with registers of their own.
extension Generator {
    /// Translates blocks into a region. Jumps between them are direct, and everything else leaves the region through the
    /// jump cache.
    package mutating func translateRegion(_ blocks: [GuestBlock]) -> TranslatedRegion {
        var indices: [UInt64: Int] = [:]
        for (index, block) in blocks.enumerated() { indices[block.address] = index }
        sharing.isEnabled = blocks.contains { $0.sharesPages }
        let available = HostRegisters.pinned.filter { !sharing.isEnabled || !HostRegisters.shared.contains($0) }
        assignment = Assignment(for: blocks, standard: standard, registers: available)

        assembler.align(to: 16)
        makeRegionPieces()
        assembler.align(to: 16)
        emit(blocks) { target in indices[target].map(LinkTarget.block) ?? .lookup }
        let starts = entries.compactMap { $0 }
        var gates: [Int] = []
        for start in starts {
            gates.append(assembler.position)
            assembler.call(pieces.enterRegion)
            assembler.jump(to: start)
        }
        return TranslatedRegion(gates: gates, end: assembler.position)
    }

    /// Makes standard code at `position` go on at a region's gate. The code there must be at least one instruction's.
    package func redirect(_ position: Int, to gate: Int) {
        // A block begins with the subtraction from the budget and a jump, which are longer than this jump.
        var patch = assembler
        patch.position = position
        patch.jump(to: gate)
    }
}

/// What came of a region.
package struct TranslatedRegion: Sendable {
    /// Where standard code enters each block.
    package let gates: [Int]
    /// Where the code ends.
    package let end: Int
}

extension GuestBlock {
    /// Whether any of the block's accesses can share a look-up.
    fileprivate var sharesPages: Bool {
        steps.indices.contains { index in
            guard let base = steps[index].statement.accessBase else { return false }
            return PageSharing.span(of: steps[index...], base: base) != nil
        }
    }
}

/// The target of a jump to a guest address.
package enum LinkTarget: Equatable, Sendable {
    /// A block of the same batch.
    case block(Int)
    /// Nothing, but code of another batch may be linked, and unlinked.
    case pending
    /// Code that is looked up each time, because the address can come to mean another page.
    case lookup
}

/// A jump that leaves generated code until it is linked.
package struct PendingLink: Sendable {
    /// The position of its displacement.
    package let site: Int
    /// A guest address.
    package let target: UInt64

    package init(site: Int, target: UInt64) {
        self.site = site
        self.target = target
    }
}

/// The code of a batch of blocks.
package struct TranslatedBatch: Sendable {
    /// Where each block begins, for code of the same page.
    package let entries: [Int]
    /// Where each block is entered with its guest address in rax; the same place unless blocks are relative.
    package let gates: [Int]
    package let pending: [PendingLink]
    /// Where the code ends.
    package let end: Int

    package init(entries: [Int], gates: [Int], pending: [PendingLink], end: Int) {
        self.entries = entries
        self.gates = gates
        self.pending = pending
        self.end = end
    }
}

/// The second page of a region, which follows the first one in the guest's virtual memory.
package struct PageBorder: Sendable {
    /// Where it begins, in the terms of blocks.
    package let address: UInt64
    /// The guest-physical page that it has to be.
    package let physical: UInt64

    package init(address: UInt64, physical: UInt64) {
        self.address = address
        self.physical = physical
    }
}

/// The code of a region.
package struct TranslatedRegion: Sendable {
    /// Where baseline code of the same page enters each block. Blocks behind the border are not entered from outside.
    package let entries: [Int]
    /// Where each block is entered with its guest address in rax; the same place unless blocks are relative.
    package let gates: [Int]
    /// Where the code ends.
    package let end: Int

    package init(entries: [Int], gates: [Int], end: Int) {
        self.entries = entries
        self.gates = gates
        self.end = end
    }
}

/// An operation on vectors of 128 bits. A vector is two slots that follow each other, named by the first, the low half. Both are
/// at `StateLayout.firstMemorySlot` or behind it: vectors are always in memory between statements.
package enum VectorOperation: Sendable, CaseIterable {
    case and, or, xor
    /// Of elements of 8, 32 and 64 bits.
    case add8, add32, add64, subtract32
}

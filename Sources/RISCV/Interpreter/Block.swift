/// The head of a decoded block: instructions that follow each other in one page of guest memory.
///
/// Its operations follow it in memory, one more than there are instructions: the last one goes on at the next address.
struct Block {
    /// Guest-physical address of the first instruction.
    let physical: UInt64
    /// Where the guest's code lies, and the copy that was decoded.
    let source: UnsafeRawPointer
    let copy: UnsafeRawPointer
    let byteCount: Int
    /// The `BlockCache.generation` in which source and copy were last seen to agree.
    var verified: UInt64

    /// Most instructions in a block; it bounds how long an interrupt waits.
    static let maximumCount = 64
}

extension UnsafeMutablePointer where Pointee == Block {
    @inline(__always) var operations: OperationReference { OperationReference(self + 1) }
}

/// A guest's instruction set, as the runtime sees it. Everything else in this module knows no guest.
///
/// The runtime calls it once for each block that it lifts, so that the calls need not be specialized.
package protocol GuestFrontEnd: Sendable {
    /// The number, 1 or 2, that addresses of instructions are multiples of.
    var codeAlignment: Int { get }
    /// The most instructions of a block.
    var maximumBlockCount: Int { get }
    /// The most statements that an instruction becomes, as a mean over a block. With it the size of code is bounded.
    var maximumStatements: Int { get }
    /// The number of the form of the instruction set that this front end lifts. Saved code is used by a front end of the same number only.
    var variant: UInt64 { get }

    /// Lifts the instructions of a page from an offset on, as far as a block goes: to an instruction that ends it, before one that
    /// does not lie in the page as a whole, or before an offset where another block begins.
    ///
    /// - Parameter isOther: whether another block begins at an offset.
    /// - Returns: nil when there is no instruction that can be translated.
    func lift(_ page: PageSnapshot, from offset: Int, isOther: (Int) -> Bool) -> LiftedBlock?

    /// The instructions of a block as text, for traces, each with its address in the terms of blocks.
    func disassemble(_ page: PageSnapshot, from offset: Int, count: Int) -> [(address: UInt64, text: String)]
}

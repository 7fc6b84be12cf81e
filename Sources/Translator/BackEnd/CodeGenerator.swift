/// A host's back end: generates code for blocks, and links and patches code that other threads may be executing.
///
/// Positions are offsets in the code cache, which is mapped at one address for writing and at another one for execution. Code is the
/// same wherever the cache and the program are mapped, but for the addresses in `pointers`. A host
/// module has one type that conforms; nothing outside of the module names a register or an instruction.
package protocol CodeGenerator {
    /// Whether this process can execute the code.
    static var canRunGeneratedCode: Bool { get }
    /// The operations that this host's processor has beyond the ones that all hosts have.
    static var operations: OptionalOperations { get }
    /// Equal on processors for which equal code is generated.
    static var processor: UInt64 { get }

    /// Writes the code that all blocks share to the start of the code cache.
    ///
    /// - Parameters:
    ///   - code: where the code cache is written.
    ///   - layout: where generated code finds the guest's state.
    init(code: UnsafeMutableRawPointer, layout: StateLayout)

    // MARK: Shared code

    /// The end of the shared code, where code of blocks begins.
    var firstBlock: Int { get }
    /// The positions in the shared code of the addresses of this process that the code uses.
    var pointers: Range<Int> { get }
    /// The function `(state, code) -> result`: enters baseline code at a host address, by the C calling convention. The block's
    /// guest address is in `StateLayout.instructionAddress`.
    var entry: Int { get }
    /// Code that leaves for the guest address at which it is entered, for lack of code there.
    var exitForLackOfCode: Int { get }

    // MARK: Emitting

    /// The most bytes that a block of `count` steps takes.
    static func maximumSize(steps count: Int) -> Int
    /// The most bytes that a region takes beside its blocks.
    static var maximumRegionOverhead: Int { get }

    /// Prepares to generate code for a position. The code is written to `room` from its start on; the caller copies it.
    mutating func begin(at position: Int, in room: UnsafeMutableRawPointer)
    /// Generates baseline code for blocks that may jump to each other.
    ///
    /// - Parameter resolve: the target of a jump to a guest address; called once for each jump out of a block.
    mutating func translate(_ blocks: [GuestBlock], resolve: (UInt64) -> LinkTarget) -> TranslatedBatch
    /// Generates optimized code for a region: blocks with registers of their own.
    ///
    /// - Parameter border: the region's second page, if it has blocks there.
    mutating func translateRegion(_ blocks: [GuestBlock], border: PageBorder?) -> TranslatedRegion

    /// Whether `marks` are kept.
    var isTracing: Bool { get set }
    /// Where the code of each step of the last translation begins.
    var marks: [CodeMark] { get }

    // MARK: Linking and patching

    /// Makes the jump of a `PendingLink` lead to `target`, while other threads may execute it.
    static func link(_ site: Int, to target: Int, in code: UnsafeMutableRawPointer)
    /// Makes the jump of a `PendingLink` leave generated code again.
    static func unlink(_ site: Int, in code: UnsafeMutableRawPointer)
    /// Replaces the instruction at `position` (a block's first, a region's entry, or a jump) by a jump to `target`, while other
    /// threads may execute it.
    static func redirect(_ position: Int, to target: Int, in code: UnsafeMutableRawPointer)
    /// The bytes that `redirect` may change, for `restore`.
    static func patchableBytes(at position: Int, in code: UnsafeRawPointer) -> UInt64
    /// Undoes `redirect`. Nothing may execute the instruction.
    static func restore(_ bytes: UInt64, at position: Int, in code: UnsafeMutableRawPointer)
}

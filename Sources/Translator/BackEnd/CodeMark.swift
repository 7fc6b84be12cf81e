/// Where a piece of generated code begins.
package struct CodeMark: Sendable {
    /// The number of a block, or that of all blocks for the code that is rarely executed.
    package let block: Int
    /// The number of a step, that of all steps for the terminator, or nil for the block's entry.
    package let step: Int?
    /// The part of a region that the block is of, where there are several.
    package let part: Int?
    package let position: Int

    package init(block: Int, step: Int?, part: Int?, position: Int) {
        self.block = block
        self.step = step
        self.part = part
        self.position = position
    }
}

/// One row of the instruction table: how an instruction is recognised, written, and what it does.
package struct Instruction: Sendable {
    package let name: String
    let format: Format
    /// Bits that `mask` selects and their values.
    package let match: UInt32
    package let mask: UInt32
    /// No instruction of the same block follows: the program counter or the context changes.
    let endsBlock: Bool
    let execute: Handler

    init(
        _ name: String, _ format: Format, _ match: UInt32, _ mask: UInt32, endsBlock: Bool = false,
        execute: @escaping Handler
    ) {
        self.name = name
        self.format = format
        self.match = match
        self.mask = mask
        self.endsBlock = endsBlock
        self.execute = execute
    }

    /// A 16-bit instruction that does what `base` does with operands unpacked by `format`.
    init(_ name: String, _ format: Format, _ match: UInt32, _ mask: UInt32, as base: Instruction) {
        self.init(name, format, match, mask, endsBlock: base.endsBlock, execute: base.execute)
    }
}

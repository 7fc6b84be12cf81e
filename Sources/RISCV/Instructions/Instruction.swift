/// One row of the instruction table: how an instruction is recognised, written, and what it does.
package struct Instruction: Sendable {
    package let name: String
    let format: Format
    /// Bits that `mask` selects and their values.
    package let match: UInt32
    package let mask: UInt32
    /// No instruction of the same block follows: the program counter or the context changes.
    let endsBlock: Bool
    /// What it does, for the translator.
    let lift: Lifting
    let execute: Handler
    /// The extension without which harts lack the instruction; nil if every hart has it.
    fileprivate(set) var part: Extension?

    init(
        _ name: String, _ format: Format, _ match: UInt32, _ mask: UInt32, endsBlock: Bool = false,
        lift: Lifting = .helper, of part: Extension? = nil, execute: @escaping Handler
    ) {
        self.name = name
        self.format = format
        self.match = match
        self.mask = mask
        self.endsBlock = endsBlock
        self.lift = lift
        self.execute = execute
        self.part = part
    }

    /// A 16-bit instruction that does what `base` does with operands unpacked by `format`.
    init(_ name: String, _ format: Format, _ match: UInt32, _ mask: UInt32, as base: Instruction) {
        self.init(name, format, match, mask, endsBlock: base.endsBlock, lift: base.lift, execute: base.execute)
    }
}

extension [Instruction] {
    /// The rows as those of an extension that harts may lack.
    func of(_ part: Extension) -> [Instruction] {
        map { row in
            var row = row
            row.part = part
            return row
        }
    }
}

package import Translator

// Code that other threads may be executing is changed by one store of the aligned word that holds the instruction.
extension Generator: CodeGenerator {
    package static var canRunGeneratedCode: Bool { HostFeatures.canRunGeneratedCode }
    package static var operations: OptionalOperations { HostFeatures.detected.operations }

    package init(code: UnsafeMutableRawPointer, execution: UnsafeRawPointer, layout: StateLayout) {
        self.init(code: code, execution: execution, layout: layout, features: .detected)
    }

    package var entry: Int { shared.enter }
    package var exitForLackOfCode: Int { shared.exitJump }

    package static func link(_ site: Int, to target: Int, in code: UnsafeMutableRawPointer) {
        redirect(site - 1, to: target, in: code)
    }

    package static func unlink(_ site: Int, in code: UnsafeMutableRawPointer) { link(site, to: site + 4, in: code) }

    package static func redirect(_ position: Int, to target: Int, in code: UnsafeMutableRawPointer) {
        // The first instruction of a block, as `takeBudget` makes it, is longer than a jump.
        Assembler(base: code).patchJump(position, to: target)
    }

    package static func patchableBytes(at position: Int, in code: UnsafeMutableRawPointer) -> UInt64 {
        word(position, code).load(as: UInt64.self)
    }

    package static func restore(_ bytes: UInt64, at position: Int, in code: UnsafeMutableRawPointer) {
        word(position, code).storeBytes(of: bytes, as: UInt64.self)
    }

    private static func word(_ position: Int, _ code: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        code + (position & ~(Assembler.patchSize - 1))
    }
}

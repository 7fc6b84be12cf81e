package import Translator

// Code that other threads may be executing is changed by one store of the aligned word that holds the instruction.
extension Generator: CodeGenerator {
    package static var canRunGeneratedCode: Bool { HostFeatures.canRunGeneratedCode }
    package static var operations: OptionalOperations { HostFeatures.detected.operations }

    package static var processor: UInt64 { UInt64(UInt32(bitPattern: HostFeatures.detected.rawValue)) }

    package init(code: UnsafeMutableRawPointer, layout: StateLayout) {
        self.init(code: code, layout: layout, features: .detected)
    }

    package var pointers: Range<Int> { shared.pointers.load..<shared.pointers.end }

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

    package static func patchableBytes(at position: Int, in code: UnsafeRawPointer) -> UInt64 {
        (code + wordStart(position)).load(as: UInt64.self)
    }

    package static func restore(_ bytes: UInt64, at position: Int, in code: UnsafeMutableRawPointer) {
        (code + wordStart(position)).storeBytes(of: bytes, as: UInt64.self)
    }

    private static func wordStart(_ position: Int) -> Int { position & ~(Assembler.patchSize - 1) }
}

import Testing

@testable import HostX86_64

/// Compares what our encoder writes with what the toolchain's assembler makes of the same instruction.
@Suite struct EncoderTests {
    @Test func integerArithmeticIsEncodedAsTheAssemblerDoes() throws { try check { $0.addArithmetic() } }
    @Test func shiftsAreEncodedAsTheAssemblerDoes() throws { try check { $0.addShifts() } }
    @Test func movesAndEveryAddressAreEncodedAsTheAssemblerDoes() throws { try check { $0.addMoves() } }
    @Test func countsAndAtomicsAreEncodedAsTheAssemblerDoes() throws { try check { $0.addBitsAndAtomics() } }
    @Test func jumpsAndCallsAreEncodedAsTheAssemblerDoes() throws { try check { $0.addControl() } }
    @Test func floatingPointIsEncodedAsTheAssemblerDoes() throws { try check { $0.addFloating() } }
    @Test func vectorsAreEncodedAsTheAssemblerDoes() throws { try check { $0.addVectors() } }
    @Test func vectorMovesAreEncodedAsTheAssemblerDoes() throws { try check { $0.addVectorMoves() } }

    /// Equal bytes, or, where an instruction has several encodings, an equal disassembly.
    private func check(_ fill: (inout EncoderListing) -> Void) throws {
        var listing = EncoderListing()
        fill(&listing)
        let expected = try HostAssembler.assemble(listing.texts)
        let different = listing.texts.indices.filter { listing.encodings[$0] != expected[$0] }
        let ours = try HostAssembler.disassemble(different.map { listing.encodings[$0] })
        let theirs = try HostAssembler.disassemble(different.map { expected[$0] })
        try #require(ours.count == different.count && theirs.count == different.count)
        let wrong = different.indices.filter { ours[$0] != theirs[$0] }.map { index in
            let number = different[index]
            return "\(listing.texts[number]): \(hex(listing.encodings[number])), not \(hex(expected[number])): "
                + ours[index]
        }
        #expect(wrong.count == 0, "of \(listing.texts.count):\n\(wrong.prefix(20).joined())")
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }
}

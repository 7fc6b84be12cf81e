import Testing

@testable import RISCV

/// Every instruction that computes, with random operands in every rounding mode, against the host.
@Suite struct FloatingPointReferenceTests {
    private static let cases = 200_000

    @Test(arguments: FloatingPointReference.all)
    func resultsAndFlagsAreThoseOfTheHost(_ reference: FloatingPointReference) throws {
        let instruction = try SingleInstruction(reference.name)
        let state = instruction.hart.state
        let seed = reference.name.utf8.reduce(0) { $0 << 6 ^ $0 >> 53 ^ UInt64($1) }
        var operands = FloatingPointOperands(isDouble: reference.operands != .single, seed: seed)
        let narrows = reference.name == "fcvt.s.d"
        let toFloat = !["feq", "flt", "fle"].contains(reference.name.prefix(3)) && !isToInteger(reference.name)
        let box: UInt64 = reference.operands == .single ? 0xFFFF_FFFF_0000_0000 : 0
        var seen: FloatingPointFlags = []
        var wrong: [String] = []
        for _ in 0..<Self.cases where wrong.count < 5 {
            var (a, b, c) = (operands.next(), operands.next(), operands.next())
            // Half of them in or near the range of single precision.
            if narrows, c & 1 == 0 { a = operands.number(1023 - 155 + Int(b % 290)) }
            // Integers of all lengths with many equal bits.
            if reference.operands == .integer { a = c & 1 == 0 ? a << (b & 63) : (a << 1) >> (b & 63) }
            let mode = operands.random(below: 5)
            let isDynamic = operands.random(below: 4) == 0
            state.pointee.x[10] = a
            state.pointee.f[10] = a | box
            state.pointee.f[11] = b | box
            state.pointee.f[12] = c | box
            state.pointee.csr.fflags = 0
            state.pointee.csr.frm = isDynamic ? UInt8(mode) : 7
            let executed = instruction.execute(rounding: isDynamic ? 7 : mode)
            let value = toFloat ? state.pointee.f[13] : state.pointee.x[13]
            let flags = state.pointee.csr.fflags
            let expected = reference.expected(Int32(mode), a, b, c)
            seen.formUnion(FloatingPointFlags(rawValue: flags))
            if executed, (value, flags) == expected { continue }
            let hexadecimal = [a, b, c, value, expected.0].map { String($0, radix: 16) }
            wrong.append("mode \(mode) \(hexadecimal) flags \(flags) \(expected.1) executed \(executed)")
        }
        #expect(wrong == [])
        #expect(seen == reference.possibleFlags)
    }

    private func isToInteger(_ name: String) -> Bool { name.hasPrefix("fcvt.w") || name.hasPrefix("fcvt.l") }

    @Test(arguments: ["fmin", "fmax"])
    func minimumAndMaximumAreOrderedAsOnTheHost(_ name: String) throws {
        let instruction = try SingleInstruction(name + ".d")
        let state = instruction.hart.state
        var operands = FloatingPointOperands(isDouble: true, seed: 1)
        var differences = 0
        for _ in 0..<Self.cases {
            let (a, b) = (operands.next(), operands.next())
            let (first, second) = (Double(bitPattern: a), Double(bitPattern: b))
            guard !first.isNaN, !second.isNaN else { continue }
            state.pointee.f[10] = a
            state.pointee.f[11] = b
            // Equal numbers are the same, or zeros of both signs.
            let expected =
                name == "fmin"
                ? (first < second ? a : second < first ? b : a | b)
                : (first < second ? b : second < first ? a : a & b)
            if !instruction.execute() || state.pointee.f[13] != expected { differences += 1 }
        }
        #expect(differences == 0)
        #expect(state.pointee.csr.fflags == 0)
    }
}

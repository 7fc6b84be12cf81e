// Floating point on SSE. Slots of numbers are in memory.
extension Generator {
    mutating func emitRequireFloat() {
        assembler.arithmetic(.cmp, .memory(state(layout.floats.ready)), 1, wide: false)
        stubs.append(
            .prepareFloat(site: assembler.jump(.notEqual), resume: assembler.position, context))
    }

    /// Makes a slot's upper half all ones, as a single has it.
    mutating func box(_ slot: Slot) {
        assembler.encode(0xC7, 0, .memory(upperHalf(slot)), wide: false)
        assembler.word32(.max)
    }

    private func upperHalf(_ slot: Slot) -> Address { state(Int(slot.index) * 8 + 4) }

    mutating func emit(_ format: FloatFormat, _ operation: FloatOperation, _ record: HelperRecord) {
        var sites: [Int] = []
        switch operation {
        case .binary(let kind, let slot, let a, let b):
            requireBoxed(format, [a, b], &sites)
            assembler.loadFloat(format, .xmm0, address(of: a))
            assembler.arithmetic(kind.host, format, .xmm0, address(of: b))
            finish(format, slot, &sites)
        case .squareRoot(let slot, let a):
            requireBoxed(format, [a], &sites)
            assembler.clear(.xmm0)
            assembler.arithmetic(.squareRoot, format, .xmm0, address(of: a))
            finish(format, slot, &sites)
        case .fused(let kind, let slot, let a, let b, let c):
            guard features.contains(.fma) else { return emitHelper(record) }
            requireBoxed(format, [a, b, c], &sites)
            assembler.loadFloat(format, .xmm0, address(of: a))
            assembler.loadFloat(format, .xmm1, address(of: b))
            assembler.multiplyAdd(kind, format, .xmm0, .xmm1, address(of: c))
            finish(format, slot, &sites)
        case .sign(let kind, let slot, let a, let b): emitSign(kind, format, slot, a, b, &sites)
        case .compare(let comparison, let slot, let a, let b):
            emitComparison(comparison, format, slot, a, b, &sites)
        case .fromInteger(let slot, let a, let wide):
            let source = readable(a, scratch: .rax)
            assembler.clear(.xmm0)
            assembler.convertFromInteger(format, .xmm0, source, wide: wide)
            assembler.storeFloat(format, address(of: slot), .xmm0)
            if format == .single { box(slot) }
        case .toInteger(let slot, let a, let wide, let truncating):
            emitToInteger(format, slot, a, wide: wide, truncating: truncating, &sites)
        case .convert(let slot, let a):
            requireBoxed(format, [a], &sites)
            assembler.clear(.xmm0)
            assembler.convertFloat(from: format, .xmm0, address(of: a))
            finish(format == .double ? .single : .double, slot, &sites)
        }
        if !sites.isEmpty {
            stubs.append(.helper(sites: sites, record, resume: assembler.position, context))
        }
    }

    /// Singles that are not boxed are NaNs, whatever their bits: that is for the helper.
    private mutating func requireBoxed(_ format: FloatFormat, _ slots: [Slot], _ sites: inout [Int]) {
        guard format == .single else { return }
        for slot in Set(slots) {
            assembler.arithmetic(.cmp, .memory(upperHalf(slot)), -1, wide: false)
            sites.append(assembler.jump(.notEqual))
        }
    }

    /// Stores the result in xmm0 unless it is a NaN, which the guest wants in its own form.
    private mutating func finish(_ format: FloatFormat, _ slot: Slot, _ sites: inout [Int]) {
        assembler.testNaN(format, .xmm0)
        sites.append(assembler.jump(.parity))
        assembler.storeFloat(format, address(of: slot), .xmm0)
        if format == .single { box(slot) }
    }

    private mutating func emitSign(
        _ kind: FloatSign, _ format: FloatFormat, _ slot: Slot, _ a: Slot, _ b: Slot, _ sites: inout [Int]
    ) {
        requireBoxed(format, [a, b], &sites)
        let wide = format == .double
        let sign: UInt64 = wide ? 1 << 63 : 1 << 31
        assembler.move(.rax, .memory(address(of: a)), wide: wide)
        assembler.move(.rcx, value: sign)
        if a != b || kind == .xor {
            assembler.move(.rdx, .memory(address(of: b)), wide: wide)
            if kind != .xor {
                // Clear a's sign; then b's, complemented for copyNegated, is what to flip.
                assembler.arithmetic(.or, .rax, .register(.rcx), wide: wide)
                assembler.arithmetic(.xor, .rax, .register(.rcx), wide: wide)
            }
            assembler.arithmetic(.and, .rdx, .register(.rcx), wide: wide)
            assembler.arithmetic(.xor, .rax, .register(.rdx), wide: wide)
        }
        if kind == .copyNegated { assembler.arithmetic(.xor, .rax, .register(.rcx), wide: wide) }
        assembler.store(address(of: slot), .rax, bytes: wide ? 8 : 4)
        if format == .single { box(slot) }
    }

    private mutating func emitComparison(
        _ comparison: FloatComparison, _ format: FloatFormat, _ slot: Slot?, _ a: Slot, _ b: Slot,
        _ sites: inout [Int]
    ) {
        requireBoxed(format, [a, b], &sites)
        if comparison == .equal {
            assembler.loadFloat(format, .xmm0, address(of: a))
            assembler.compareFloat(format, .xmm0, address(of: b), signaling: false)
            assembler.set(.equal, .rax)
            assembler.set(.noParity, .rcx)
            assembler.arithmetic(.and, .rax, .register(.rcx), wide: false)
        } else {
            // Exchanged, since "above" is false for NaNs and "below" is not.
            assembler.loadFloat(format, .xmm0, address(of: b))
            assembler.compareFloat(format, .xmm0, address(of: a), signaling: true)
            assembler.set(comparison == .less ? .above : .aboveOrEqual, .rax)
        }
        guard let slot else { return }
        let target = target(slot)
        assembler.extend(target, .register(.rax), bytes: 1, signed: false)
        write(slot, from: target)
    }

    private mutating func emitToInteger(
        _ format: FloatFormat, _ slot: Slot?, _ a: Slot, wide: Bool, truncating: Bool, _ sites: inout [Int]
    ) {
        requireBoxed(format, [a], &sites)
        assembler.convertToInteger(format, .rax, address(of: a), wide: wide, truncating: truncating)
        // What does not fit gives the least integer, which may also be the right answer: the helper knows.
        if wide {
            assembler.move(.rcx, value: 1 << 63)
            assembler.arithmetic(.cmp, .rax, .register(.rcx))
        } else {
            assembler.arithmetic(.cmp, .register(.rax), .min, wide: false)
        }
        sites.append(assembler.jump(.equal))
        guard let slot else { return }
        let target = target(slot)
        assembler.extend(target, .register(.rax), bytes: wide ? 8 : 4, signed: true)
        write(slot, from: target)
    }
}

extension FloatBinary {
    fileprivate var host: VectorArithmetic {
        switch self {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        }
    }
}

internal import Translator

// Scalar floating point on SSE and FMA. Results are computed in xmm0.
extension Generator {
    mutating func emitRequireFloat() {
        assembler.arithmetic(.cmp, .memory(state(layout.floats.ready)), 1, wide: false)
        stubs.append(
            .prepareFloat(site: assembler.jump(.notEqual), resume: assembler.position, context))
    }

    /// Brings the number in xmm0 to its slot, a single in its box: the upper half is all ones.
    mutating func write(_ format: FloatFormat, _ slot: Slot) {
        if format == .single {
            assembler.or(.xmm0, position: shared.constants.box)
            boxed.insert(slot)
        } else {
            boxed.remove(slot)
        }
        switch vectorPlace(slot) {
        case .vector(let vector): assembler.copy(vector, .xmm0)
        case .memory(let address): assembler.storeFloat(.double, address, .xmm0)
        }
    }

    mutating func emit(_ format: FloatFormat, _ operation: FloatOperation, _ record: HelperRecord) {
        var sites: [Int] = []
        switch operation {
        case .binary(let kind, let slot, let a, let b):
            requireBoxed(format, [a, b], &sites)
            assembler.loadFloat(format, .xmm0, vectorPlace(a))
            assembler.arithmetic(kind.host, format, .xmm0, vectorPlace(b))
            finish(format, slot, &sites)
        case .squareRoot(let slot, let a):
            requireBoxed(format, [a], &sites)
            assembler.clear(.xmm0)
            assembler.arithmetic(.squareRoot, format, .xmm0, vectorPlace(a))
            finish(format, slot, &sites)
        case .fused(let kind, let slot, let a, let b, let c):
            guard features.contains(.fma) else { return emitFloatHelper(record, operation) }
            requireBoxed(format, [a, b, c], &sites)
            assembler.loadFloat(format, .xmm0, vectorPlace(a))
            var second = Vector.xmm1
            if case .vector(let vector) = vectorPlace(b) {
                second = vector
            } else {
                assembler.loadFloat(format, .xmm1, vectorPlace(b))
            }
            assembler.multiplyAdd(kind, format, .xmm0, second, vectorPlace(c))
            finish(format, slot, &sites)
        case .sign(let kind, let slot, let a, let b): emitSign(kind, format, slot, a, b, &sites)
        case .compare(let comparison, let slot, let a, let b):
            emitComparison(comparison, format, slot, a, b, &sites)
        case .fromInteger(let slot, let a, let wide):
            let source = readable(a, scratch: .rax)
            assembler.clear(.xmm0)
            assembler.convertFromInteger(format, .xmm0, source, wide: wide)
            write(format, slot)
        case .toInteger(let slot, let a, let wide, let truncating):
            emitToInteger(format, slot, a, wide: wide, truncating: truncating, &sites)
        case .convert(let slot, let a):
            requireBoxed(format, [a], &sites)
            assembler.clear(.xmm0)
            assembler.convertFloat(from: format, .xmm0, vectorPlace(a))
            finish(format == .double ? .single : .double, slot, &sites)
        }
        if !sites.isEmpty {
            stubs.append(.helper(sites: sites, record, resume: assembler.position, context))
        }
    }

    private mutating func emitFloatHelper(_ record: HelperRecord, _ operation: FloatOperation) {
        emitHelper(record)
        boxed.removeAll()
    }

    /// Singles that are not boxed are NaNs, whatever their bits: that is for the helper.
    private mutating func requireBoxed(_ format: FloatFormat, _ slots: [Slot], _ sites: inout [Int]) {
        guard format == .single else { return }
        // What passes here may still be unboxed behind it, when the helper went on from here.
        for slot in Set(slots) where !boxed.contains(slot) {
            switch vectorPlace(slot) {
            case .memory:
                assembler.arithmetic(.cmp, .memory(state(Int(slot.index) * 8 + 4)), -1, wide: false)
            case .vector(let vector):
                assembler.move(.register(.rax), from: vector)
                assembler.shift(.right, .register(.rax), by: 32)
                assembler.arithmetic(.cmp, .register(.rax), -1, wide: false)
            }
            sites.append(assembler.jump(.notEqual))
        }
    }

    /// Writes the result in xmm0 unless it is a NaN, which the guest wants in its own form.
    private mutating func finish(_ format: FloatFormat, _ slot: Slot, _ sites: inout [Int]) {
        assembler.testNaN(format, .xmm0)
        sites.append(assembler.jump(.parity))
        write(format, slot)
    }

    private mutating func emitSign(
        _ kind: FloatSign, _ format: FloatFormat, _ slot: Slot, _ a: Slot, _ b: Slot, _ sites: inout [Int]
    ) {
        requireBoxed(format, [a, b], &sites)
        let sign = format == .double ? shared.constants.sign64 : shared.constants.sign32
        let magnitude = format == .double ? shared.constants.magnitude64 : shared.constants.magnitude32
        assembler.loadFloat(.double, .xmm0, vectorPlace(a))
        if a == b {
            switch kind {
            case .copy: break
            case .copyNegated: assembler.xor(.xmm0, position: sign)
            case .xor: assembler.and(.xmm0, position: magnitude)
            }
        } else {
            assembler.loadFloat(.double, .xmm1, vectorPlace(b))
            if kind == .copyNegated { assembler.xor(.xmm1, position: sign) }
            assembler.and(.xmm1, position: sign)
            if kind != .xor { assembler.and(.xmm0, position: magnitude) }
            assembler.xor(.xmm0, .xmm1)
        }
        write(format, slot)
    }

    private mutating func emitComparison(
        _ comparison: FloatComparison, _ format: FloatFormat, _ slot: Slot?, _ a: Slot, _ b: Slot,
        _ sites: inout [Int]
    ) {
        requireBoxed(format, [a, b], &sites)
        // Exchanged for an order, since "above" is false for NaNs and "below" is not.
        let (first, second) = comparison == .equal ? (a, b) : (b, a)
        var register = Vector.xmm0
        if case .vector(let vector) = vectorPlace(first) {
            register = vector
        } else {
            assembler.loadFloat(format, .xmm0, vectorPlace(first))
        }
        assembler.compareFloat(format, register, vectorPlace(second), signaling: comparison != .equal)
        if comparison == .equal {
            assembler.set(.equal, .rax)
            assembler.set(.noParity, .rcx)
            assembler.arithmetic(.and, .rax, .register(.rcx), wide: false)
        } else {
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
        assembler.convertToInteger(format, .rax, vectorPlace(a), wide: wide, truncating: truncating)
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

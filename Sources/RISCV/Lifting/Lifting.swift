internal import Translator

/// What an instruction does, in the terms of the translator. Where the slots are is the business of its format.
enum Lifting: Sendable {
    /// Only the interpreter knows.
    case helper
    /// rd = rs1 operation rs2, or immediate
    case binary(BinaryOperation, Width)
    case immediate(BinaryOperation, Width)
    case unary(UnaryOperation, Width)
    /// rd = 1 or 0
    case set(Condition)
    case setImmediate(Condition)
    /// rd = immediate, or pc + immediate
    case upper
    case upperFromHere
    case jump
    case jumpRegister
    case branch(Condition)
    case load(MemoryType)
    case store(MemoryType)
    case fence
    case atomic(AtomicOperation, wide: Bool)
    /// rd = CSR, which becomes a result of it and rs1, or the instruction's field
    case csr(CSROperation)
    case csrImmediate(CSROperation)
    case loadFloat(FloatFormat)
    case storeFloat(FloatFormat)
    case moveToInteger(FloatFormat)
    case moveFromInteger(FloatFormat)
    case float(FloatFormat, FloatLifting)
}

/// The floating-point instructions that the host's unit does alike.
enum FloatLifting: Sendable {
    case binary(FloatBinary)
    case squareRoot
    case fused(FloatFused)
    case sign(FloatSign)
    case compare(FloatComparison)
    case toInteger(wide: Bool)
    case fromInteger(wide: Bool)
    case convert
}

/// Executes one decoded instruction and returns the next one; nil leaves the interpreter's loop with `HartState.pc` set.
///
/// The parameters are a `HartState` and an `Operation`. A C function pointer is what Swift calls without a context and
/// without reference counting, and C function types cannot name Swift structs, hence the raw pointers.
typealias Handler = @convention(c) (HartReference, OperationReference) -> OperationReference?

/// Points to the `HartState` of the hart that executes.
typealias HartReference = UnsafeMutableRawPointer
/// Points to an `Operation` inside of a block, which lives as long as the block.
typealias OperationReference = UnsafeRawPointer

/// One decoded instruction: the function that executes it, and its operands unpacked.
struct Operation {
    var execute: Handler
    /// Immediate, branch offset, shift amount, or CSR number.
    var immediate: Int32
    /// Bytes from the start of the block.
    var offset: UInt16
    /// Instructions from the start of the block.
    var index: UInt8
    /// Destination; an integer destination of x0 is `HartState.sink`, so that handlers need not compare.
    var rd: UInt8
    var rs1: UInt8
    var rs2: UInt8
    var rs3: UInt8
    /// The `rm` field of floating-point instructions.
    var rounding: UInt8
    /// The instruction's bits; the upper half of a 16-bit instruction is 0.
    var raw: UInt32

    /// Bytes: 2 or 4 (Unprivileged Architecture 1.5).
    @inline(__always) var length: UInt64 { raw & 3 == 3 ? 4 : 2 }
    /// The immediate, sign-extended.
    @inline(__always) var signed: UInt64 { UInt64(bitPattern: Int64(immediate)) }
}

extension UnsafeRawPointer {
    /// The operation behind an `OperationReference`.
    @inline(__always) var operation: UnsafePointer<Operation> { assumingMemoryBound(to: Operation.self) }
    /// The operation after this one in the block.
    @inline(__always) var next: OperationReference { self + MemoryLayout<Operation>.stride }
}

extension UnsafeMutableRawPointer {
    /// The state behind a `HartReference`.
    @inline(__always) var state: UnsafeMutablePointer<HartState> { assumingMemoryBound(to: HartState.self) }
}

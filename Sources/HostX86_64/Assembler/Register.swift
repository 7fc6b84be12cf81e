/// General-purpose registers of x86-64 with their encodings.
package enum Register: UInt8, Sendable {
    case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
}

/// SSE registers of x86-64 with their encodings.
package enum Vector: UInt8, Sendable {
    case xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15
}

/// Condition codes of x86-64 as Jcc, SETcc and CMOVcc encode them.
package enum HostCondition: UInt8, Sendable {
    case overflow = 0
    case below = 2
    case aboveOrEqual, equal, notEqual, belowOrEqual, above, sign
    case parity = 10
    case noParity, less, greaterOrEqual, lessOrEqual, greater
}

/// A memory operand: base + index × 2^scale + displacement.
package struct Address: Sendable {
    let base: Register
    var index: Register?
    /// 0 to 3.
    var scale: UInt8 = 0
    let displacement: Int32

    package init(_ base: Register, _ displacement: Int32 = 0) {
        self.base = base
        self.displacement = displacement
    }

    package init(_ base: Register, index: Register, scale: UInt8 = 0, _ displacement: Int32 = 0) {
        self.init(base, displacement)
        // Encoding 4 as an index means that there is none.
        precondition(index != .rsp, "rsp cannot be an index")
        self.index = index
        self.scale = scale
    }
}

/// A register or memory operand.
package enum Place: Sendable {
    case register(Register)
    case memory(Address)
}

/// An SSE register or memory operand.
enum VectorPlace: Sendable {
    case vector(Vector)
    case memory(Address)

    /// The operand as it is encoded: registers of both kinds have the same numbers.
    var place: Place {
        switch self {
        case .vector(let vector): .register(vector.asRegister)
        case .memory(let address): .memory(address)
        }
    }
}

extension Vector {
    /// The general-purpose register with the same encoding.
    var asRegister: Register {
        // Both kinds have the numbers 0 to 15.
        unsafeBitCast(rawValue, to: Register.self)
    }
}

/// The uses of the host's registers while generated code runs.
enum HostRegisters {
    /// Points 128 bytes into the state, so that the first 32 slots have short displacements.
    static let state = Register.rbp
    static let stateBias = 128
    /// Instructions until the limit; negative when a block would exceed it.
    static let budget = Register.r15
    // rax, rcx and rdx are free within a statement.
    static let pinned: [Register] = [.rbx, .rsi, .rdi, .r8, .r9, .r10, .r11, .r12, .r13, .r14]
    // xmm0 and xmm1 are free within a statement.
    static let vectors: [Vector] = [
        .xmm2, .xmm3, .xmm4, .xmm5, .xmm6, .xmm7, .xmm8, .xmm9, .xmm10, .xmm11, .xmm12, .xmm13, .xmm14, .xmm15,
    ]
    /// In regions these hold the addends of pages that accesses share. Calls preserve them.
    static let shared: [Register] = [.r13, .r14]
}

extension BorderProgramTests {
    /// Two address spaces show the same code at 0x40000000, different code behind it, and the same at 0x80000000.
    static func twoSpaces(_ change: Change) -> String {
        """
            .option norvc
            .option norelax
        \(PagedProgram.tables("rootA", pages: "code", "nextA"))
        \(PagedProgram.tables("rootB", pages: "code", "nextB"))
        \(PagedProgram.enterSupervisor)
        supervisor:
            xor s5, s5, s4
            li s0, 400
            li s1, 0
            li s3, 0x40001000
            la s9, rootA
            li t0, 8200
            add s9, s9, t0
            la t0, rootB
            li t1, 8200
            add t0, t0, t1
            ld s10, 0(t0)
            ld t0, 0(s9)
            xor s10, s10, t0
            addi s8, s3, 16
            addi s7, s3, -32
        repeat:
            jalr s8
            li s6, 5
            jalr s7
            andi t0, s0, 3
            bnez t0, 1f
            \(change.rawValue)
        1:  addi s0, s0, -1
            bnez s0, repeat
            j finish
            .balign 4096
        code:
            .skip 4096 - 32
            addi s1, s1, 2
            nop
            nop
            nop
            nop
            nop
            nop
            nop
        nextA:
            addi s1, s1, 1
            addi s6, s6, -1
            bnez s6, .-40
            nop
            ret
            .balign 4096
        nextB:
            addi s1, s1, 1000
            addi s6, s6, -1
            bnez s6, .-40
            nop
            ret
        """
    }

    /// After a store to the second page, an instruction in both is the first to be fetched from it. Then another first page is mapped.
    static let firstPageOfTwoReplaced = """
            .option norvc
            .option norelax
        \(PagedProgram.tables("rootA", pages: "code", "next"))
        \(PagedProgram.tables("rootB", pages: "code", "next"))
        \(PagedProgram.enterSupervisor)
        supervisor:
            li s1, 0
            li s7, 0x40000FF0
            li s8, 0x40000FFE
            li s9, 0x40001002
            li s11, 300
        repeat:
            li s6, 1
            jalr s9
            li s6, 5
            jalr s7
            addi s11, s11, -1
            bnez s11, repeat
            la t0, next
            li t1, 0x700
            add t0, t0, t1
            sd zero, 0(t0)
            fence.i
            li s6, 1
            jalr s8
            la t0, rootA
            li t1, 8192
            add t0, t0, t1
            la t1, other
            srli t1, t1, 12
            slli t1, t1, 10
            ori t1, t1, 0xCB
            sd t1, 0(t0)
            li t0, 0x40000000
            sfence.vma t0, zero
            li s2, 0
            li s6, 1
            jalr s8
            slli s2, s2, 1
            add s1, s1, s2
            j finish
            .balign 4096
        code:
            .skip 0xFF0
            nop
            nop
            nop
            .2byte 0x0001
            .2byte 0x8493
        next:
            # The instruction is addi s1, s1, 7; with the other first page, addi s2, s1, 7.
            .2byte 0x0074
            addi s6, s6, -1
            bnez s6, next - 16
            ret
            .balign 4096
        other:
            .skip 0xFFE
            .2byte 0x8913
        """
}

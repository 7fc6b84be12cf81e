import GuestToolchain
import Testing

@testable import RISCV

/// Calls between pages, whose returns generated code finds by the return stack: it is a guess, and never wrong.
@Suite struct ReturnStackTests {
    private func result(_ program: String, tail: String = "", _ runner: AerieRunner) throws -> UInt64 {
        try PagedProgram.run(program, tail: tail, runner).result
    }

    /// Three times as deep as the ring has entries, from page to page and back.
    @Test(arguments: GuestRunners.translating)
    func recursionThatIsDeeperThanTheRingReturns(runner: AerieRunner) throws {
        let sum = try result(
            """
                .option norvc
                .option norelax
                la sp, stack
                li s0, 60
                li s1, 0
            again:
                li a0, 100
                call first
                addi s0, s0, -1
                bnez s0, again
                j finish
                .balign 4096
            first:
                addi sp, sp, -16
                sd ra, 0(sp)
                sd a0, 8(sp)
                beqz a0, 1f
                addi a0, a0, -1
                call second
            1:  ld a0, 8(sp)
                add s1, s1, a0
                ld ra, 0(sp)
                addi sp, sp, 16
                ret
                .balign 4096
            second:
                addi sp, sp, -16
                sd ra, 0(sp)
                call first
                addi s1, s1, 1
                ld ra, 0(sp)
                addi sp, sp, 16
                ret
                .balign 4096
                .skip 8192
            stack:
                .dword 0
            """, runner)
        #expect(sum == 60 * (5050 + 100))
    }

    /// Functions that return behind the next instruction, or to their caller's caller, as exceptions and long jumps do.
    @Test(arguments: GuestRunners.translating)
    func aFunctionMayReturnElsewhere(runner: AerieRunner) throws {
        let sum = try result(
            """
                .option norvc
                .option norelax
                li s0, 600
                li s1, 0
            again:
                call outer
            here:
                addi s1, s1, 1
                addi s0, s0, -1
                bnez s0, again
                j finish
                .balign 4096
            outer:
                mv s2, ra
                call inner
                addi s1, s1, 1000
                addi s1, s1, 16
                mv ra, s2
                ret
                .balign 4096
            inner:
                andi t1, s0, 3
                beqz t1, 1f
                addi t1, t1, -1
                beqz t1, 2f
                ret
            1:  addi ra, ra, 4
                ret
            2:  mv ra, s2
                ret
            """, runner)
        // Of four calls, two return as usual, one skips an instruction, and one leaves out the rest of the caller.
        #expect(sum == 150 * (2 * 1017 + 17 + 1))
    }

    /// The called function changes the instruction that it returns to.
    @Test(arguments: GuestRunners.translating)
    func codeThatACallReturnsToMayChangeMeanwhile(runner: AerieRunner) throws {
        let sum = try result(
            """
                .option norvc
                .option norelax
                li s0, 400
                li s1, 0
            \(PagedProgram.loadBoth)
            again:
                call change
            place:
                addi s1, s1, 1
                addi s0, s0, -1
                bnez s0, again
                j finish
            \(PagedProgram.both)
                .balign 4096
            change:
                andi t0, s0, 7
                bnez t0, 1f
            \(PagedProgram.storeOther)
            1:  ret
            """, runner)
        // It changes at 400, 392, …, each time for 8 turns: 100 first.
        #expect(sum == 200 * 100 + 200)
    }

    /// What a called function changes, so that other code is at the address that it returns to.
    enum Change: String, CaseIterable {
        /// It goes to another address space, without and with a fence.
        case space = "xor s4, s4, s5; csrw satp, s4"
        case spaceAndFence = "xor s4, s4, s5; csrw satp, s4; sfence.vma"
        /// It maps another page there.
        case page = "ld t1, 0(s9); xor t1, t1, s10; sd t1, 0(s9); sfence.vma s3"
    }

    @Test(arguments: GuestRunners.translating, Change.allCases)
    func otherCodeMayBeWhereACallReturns(runner: AerieRunner, change: Change) throws {
        let program = Self.twoSpaces(change)
        let expected = try result(program, tail: PagedProgram.room, AerieRunner(translates: false))
        #expect(expected > 400)
        #expect(try result(program, tail: PagedProgram.room, runner) == expected)
    }

    /// Two address spaces show different code at 0x40000000, and the same at 0x80000000.
    private static func twoSpaces(_ change: Change) -> String {
        return """
                .option norvc
                .option norelax
            \(PagedProgram.tables("rootA", pages: "codeA"))
            \(PagedProgram.tables("rootB", pages: "codeB"))
            \(PagedProgram.enterSupervisor)
            supervisor:
                xor s5, s5, s4
                li s0, 400
                li s1, 0
                la s2, switch
                li s3, 0x40000000
                li s8, 0x80000
                la s9, rootA
                li t0, 8192
                add s9, s9, t0
                la t0, rootB
                li t1, 8192
                add t0, t0, t1
                ld s10, 0(t0)
                ld t0, 0(s9)
                xor s10, s10, t0
            again:
                jalr s3
                addi s0, s0, -1
                bnez s0, again
                j finish
            \(code("codeA", adds: 1))
            \(code("codeB", adds: 1000))
                .balign 4096
            switch:
                andi t0, s0, 3
                bnez t0, 1f
                \(change.rawValue)
            1:  ret
            """
    }

    private static func code(_ name: String, adds value: Int) -> String {
        """
            .balign 4096
        \(name):
            mv s6, ra
            csrs sstatus, s8
            csrc sstatus, s8
            jalr s2
            addi s1, s1, \(value)
            mv ra, s6
            ret

        """
    }
}

import GuestToolchain
import Testing

@testable import RISCV
@testable import TranslationRuntime

/// Programs whose loops go on in the page that follows, while that changes.
@Suite struct BorderProgramTests {
    /// The same as the interpreter's, with regions of two pages where regions are made.
    private func compare(_ program: String, tail: String = "", _ runner: AerieRunner) throws {
        let expected = try PagedProgram.run(program, tail: tail, AerieRunner(translates: false)).result
        let (found, counts) = try PagedProgram.run(program, tail: tail, runner)
        #expect(found == expected && expected > 1000)
        #expect(((counts?.regionsOfTwoPages ?? 0) > 0) == runner.makesRegions)
    }

    /// Loops that cross the border at an instruction, or in the middle of one. The second page runs first, so that it is known.
    @Test(arguments: GuestRunners.translating, [false, true])
    func loopsAcrossTheBorder(runner: AerieRunner, straddles: Bool) throws {
        try compare(
            """
                .option norelax
                li s0, 1000
                li s1, 0
                li s2, 0
                la s3, data
                call second
                call outer
                j finish
                .balign 4096
                .skip 4096 - \(straddles ? 34 : 32)
                .option norvc
            outer:
                mv s4, ra
            again:
                add s1, s1, s0
                ld t0, 0(s3)
                add s1, s1, t0
                addi t0, t0, 1
                sd t0, 0(s3)
                andi t1, s0, 1
                addi s2, s2, 3
                beqz t1, even
                xor s1, s1, s2
            even:
                addi s0, s0, -1
                bnez s0, again
                mv ra, s4
            second:
                ret
                .balign 8
            data:
                .dword 5
            """, runner)
    }

    /// A branch leads into the second page, calls return there, and a switch jumps by a table.
    @Test(arguments: GuestRunners.translating)
    func branchesAndCallsAcrossTheBorder(runner: AerieRunner) throws {
        try compare(
            """
                .option norvc
                .option norelax
                li s0, 1000
                li s1, 0
                call second
                call outer
                j finish
                .balign 4096
                .skip 4096 - 56
            function:
                addi s1, s1, 7
                ret
            outer:
                mv s4, ra
            again:
                andi t0, s0, 3
                beqz t0, far
                addi t0, t0, -1
                beqz t0, near
                la t1, cases
                slli t0, t0, 3
                add t1, t1, t0
                jr t1
            near:
                addi s1, s1, 1
                j far
                nop
            cases:
                addi s1, s1, 5
                j far
                addi s1, s1, 11
                j next
            far:
                jal function
                addi s1, s1, 100
            next:
                addi s0, s0, -1
                bnez s0, again
                mv ra, s4
            second:
                ret
            """, runner)
    }

    /// The loop changes an instruction of its second page.
    @Test(arguments: GuestRunners.translating)
    func codeBehindTheBorderMayChange(runner: AerieRunner) throws {
        try compare(
            """
                .option norvc
                .option norelax
                li s0, 400
                li s1, 0
            \(PagedProgram.loadBoth)
                call second
                call outer
                j finish
            \(PagedProgram.both)
                .balign 4096
                .skip 4096 - 32
            outer:
                mv s6, ra
            again:
                andi t0, s0, 7
                bnez t0, 1f
            \(PagedProgram.storeOther)
            1:  addi s1, s1, 3
                nop
            place:
                addi s1, s1, 1
                addi s0, s0, -1
                bnez s0, again
                mv ra, s6
            second:
                ret
            """, runner)
    }

    /// Nobody watches the second page while it changes: it was written to before, and nothing was fetched from it since.
    @Test(arguments: GuestRunners.translating)
    func aSecondPageThatNobodyWatchesMayChange(runner: AerieRunner) throws {
        try compare(
            """
                .option norvc
                .option norelax
                li s0, 200
                li s1, 0
            \(PagedProgram.loadBoth)
                la s7, second + 256
                call second
            repeat:
                li s8, 3
                call outer
                sd s0, 0(s7)
                fence.i
                call first
            \(PagedProgram.storeOther)
                addi s0, s0, -1
                bnez s0, repeat
                j finish
            \(PagedProgram.both)
                .balign 4096
            first:
                ret
                .skip 4096 - 20
            outer:
                mv s6, ra
            again:
                addi s1, s1, 3
                nop
                nop
            place:
                addi s1, s1, 1
                addi s8, s8, -1
                bnez s8, again
                mv ra, s6
            second:
                ret
                .balign 1024
            """, runner)
    }

    /// The second page has the instruction that faults: its address is right, and the loop goes on behind it.
    @Test(arguments: GuestRunners.translating)
    func exceptionsBehindTheBorder(runner: AerieRunner) throws {
        try compare(
            """
                .option norvc
                .option norelax
                la t0, handler
                csrw mtvec, t0
                li s0, 300
                li s1, 0
                li s2, 0x8000
                call second
                call outer
                j finish
                .balign 4
            handler:
                csrr t0, mepc
                li t1, 4095
                and t2, t0, t1
                add s1, s1, t2
                csrr t2, mcause
                add s1, s1, t2
                addi t0, t0, 4
                csrw mepc, t0
                mret
                .balign 4096
                .skip 4096 - 16
            outer:
                mv s6, ra
            again:
                andi t3, s0, 3
                addi s1, s1, 1
                nop
                bnez t3, 1f
                ld t4, 0(s2)
            1:  csrr t5, mscratch
                ecall
                addi s0, s0, -1
                bnez s0, again
                mv ra, s6
            second:
                ret
            """, runner)
    }

    /// What the outer loop changes, so that another page follows.
    enum Change: String, CaseIterable {
        /// It goes to another address space, without and with a fence.
        case space = "xor s4, s4, s5; csrw satp, s4"
        case spaceAndFence = "xor s4, s4, s5; csrw satp, s4; sfence.vma"
        /// It maps another page there.
        case page = "ld t1, 0(s9); xor t1, t1, s10; sd t1, 0(s9); sfence.vma s3"
    }

    @Test(arguments: GuestRunners.translating)
    func theFirstPageOfAnInstructionInTwoMayBeReplaced(runner: AerieRunner) throws {
        try compare(Self.firstPageOfTwoReplaced, tail: PagedProgram.room, runner)
    }

    @Test(arguments: GuestRunners.translating, Change.allCases)
    func anotherPageMayFollow(runner: AerieRunner, change: Change) throws {
        try compare(Self.twoSpaces(change), tail: PagedProgram.room, runner)
    }
}

import GuestToolchain
import Testing

@testable import RISCV

@Suite struct FullCodeCacheTests {
    /// Sixty thousand loads become more code than the least room has, round after round, on each hart.
    @Test(arguments: [1, 4], [false, true])
    func aProgramThatDoesNotFitIntoTheCodeCacheRunsOn(harts: Int, makesRegions: Bool) throws {
        let program = try Toolchain.assemble(
            """
                la sp, number
                li a0, 0
                li s1, 3
            again:
                .rept 60000
                ld t0, 0(sp)
                add a0, a0, t0
                .endr
                addi s1, s1, -1
                beqz s1, 1f
                la t0, again
                jr t0
            1:  li t0, 60000 * 3 * 7
                li t1, 0x100000
                li t2, 0x13333
                bne a0, t0, 2f
                # The last hart that gets here ends the run.
                la t3, done
                li t4, 1
                amoadd.d t3, t4, (t3)
                li t4, \(harts - 1)
                bne t3, t4, 3f
                li t2, 0x5555
            2:  sw t2, 0(t1)
            3:  j 3b
                .balign 8
            done:
                .dword 0
            number:
                .dword 7
            """, at: Toolchain.base)
        let runner = AerieRunner(translates: true, makesRegions: makesRegions, codeCapacity: 4 << 20)
        #expect(try runner.run(program, harts: harts).end == .exit(0))
    }

    /// Each hart calls four hundred pages in random order, and one of them every time. Blocks of a page jump to each other, and lie
    /// in different parts of the code cache after a while; regions are made meanwhile, and made again with functions that they call
    /// by pointer.
    @Test(arguments: [1, 4], [false, true])
    func pagesThatLoseSomeOfTheirCodeRunOn(harts: Int, isRelative: Bool) throws {
        var program = try Self.caller(harts: harts)
        let page = try Self.calledPage()
        // Images end with a word of their own.
        program.removeLast(8)
        try #require(program.count == 4096 && page.count <= 4096)
        let room = [UInt8](repeating: 0, count: 4096 - page.count)
        for _ in 0..<400 { program += page + room }
        let sum = 0x1000 - 8..<0x1000
        let memory = 16 << 20
        let expected = try AerieRunner().run(program, harts: harts, memory: memory, dump: sum)
        for makesRegions in [false, true] {
            let runner = AerieRunner(
                translates: true, makesRegions: makesRegions, findsRegions: true, isRelative: isRelative,
                codeCapacity: 4 << 20)
            let (outcome, counts) = try runner.runCounting(program, harts: harts, memory: memory, dump: sum)
            #expect(outcome.end == .exit(0) && expected.end == .exit(0))
            #expect(outcome.memory == expected.memory)
            let made = try #require(counts)
            #expect(made.evictions > 4 && made.regions > 0)
            if makesRegions { #expect(made.replacedRegions > 0) }
        }
    }

    /// Calls the pages behind it in random order, by function pointer, and adds what they compute to `sum`.
    private static func caller(harts: Int) throws -> [UInt8] {
        try Toolchain.assemble(
            """
                .option norvc
                .option norelax
                la sp, number
                la s4, sum + 8
                li s2, 6364136223846793005
                addi s0, a0, 1
                li s1, 2500
                li s3, 0
            next:
                mul s0, s0, s2
                addi s0, s0, 1347
                li a1, 60
                jalr s4
                srli t0, s0, 33
                li t1, 400
                remu t0, t0, t1
                slli t0, t0, 12
                add t0, t0, s4
                srli a1, s0, 60
                jalr t0
                addi s1, s1, -1
                bnez s1, next
                la t0, sum
                amoadd.d x0, s3, (t0)
                \(AerieRunner.end(ofHarts: harts))
            number:
                .dword 7
                .org 0x1000 - 8
            sum:
                .dword 0
            """, at: Toolchain.base)
    }

    /// Functions of three blocks that jump to each other, with a call by pointer among them.
    private static func calledPage() throws -> [UInt8] {
        try Toolchain.assemble(
            """
                .option norvc
                .option norelax
                andi t1, a1, 3
                beqz t1, 2f
                li t2, 1
                beq t1, t2, 3f
            1:  lla t0, 4f
                andi t1, a1, 1
                slli t1, t1, 3
                add t0, t0, t1
                jalr t6, t0
                .rept 60
                ld t0, 0(sp)
                add s3, s3, t0
                .endr
            2:  addi s3, s3, 1
                .rept 60
                ld t0, 0(sp)
                add s3, s3, t0
                .endr
            3:  addi s3, s3, 3
                .rept 60
                ld t0, 0(sp)
                sub s3, s3, t0
                .endr
                addi a1, a1, -1
                bgtz a1, 1b
                ret
            4:  addi s3, s3, 5
                jr t6
                addi s3, s3, 7
                jr t6
            """, at: Toolchain.base)
    }
}

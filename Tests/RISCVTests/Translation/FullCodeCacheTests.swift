import GuestToolchain
import Testing

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
}

import GuestToolchain
import Testing
import Translator

@testable import RISCV
@testable import TranslationRuntime

/// Regions with jumps to anywhere are made again when a block turns out to be hot to which they may jump.
@Suite struct OpenRegionTests {
    /// A loop that calls what a pointer tells, and functions.
    private static let page = """
            .option norvc
        again:
            jalr a1
            addi a0, a0, -1
            bnez a0, again
            j again
            .org 0x200
            addi a2, a2, 1
            ret
            .org 0x400
            addi a2, a2, 2
            ret
        """

    private func fixture() throws -> StoreFixture {
        try StoreFixture(try Toolchain.assemble(Self.page, at: Toolchain.base))
    }

    /// Makes a region, for which there is room.
    private func make(_ offset: Int, in fixture: StoreFixture) throws {
        _ = fixture.translate(0, offset)
        #expect(fixture.store.makeRegion(fixture.request(0, offset)))
    }

    @Test func aRegionThatCallsByPointerIsMadeAgainWithWhatItCalls() throws {
        let fixture = try fixture()
        try make(0, in: fixture)
        let first = try #require(fixture.page(0).entries[0])
        #expect(first.isRegional && !fixture.page(0).isRegional(0x200))

        _ = fixture.translate(0, 0x200)
        let work = try #require(fixture.store.startRegion(fixture.request(0, 0x200)))
        work.generate()
        #expect(work.replaced?.start == 0)
        #expect(Set(work.blocks.map { Int($0.address & 0xFFF) }).isSuperset(of: [0, 4, 12, 0x200]))
        // Functions return to where their caller goes on, which may be anywhere.
        #expect(work.blocks.contains { $0.address & 0xFFF == 0x200 && $0.jumpsAnywhere })
        #expect(fixture.store.finishRegion(work) == .done)
        let second = try #require(fixture.page(0).entries[0])
        #expect(second.position != first.position && second.isRegional && fixture.page(0).isRegional(0x200))

        // And again.
        try make(0x400, in: fixture)
        #expect(fixture.page(0).entries[0]?.position != second.position)
        #expect(fixture.page(0).isRegional(0x400))
        #expect(fixture.store.counts.regions == 3 && fixture.store.counts.replacedRegions == 2)
    }

    @Test func aRegionIsMadeAgainABoundedNumberOfTimes() throws {
        let calls = 40
        let fixture = try StoreFixture(
            try Toolchain.assemble(
                Self.page + "\n.org 0x800\n" + String(repeating: "addi a2, a2, 3\nret\n", count: calls),
                at: Toolchain.base))
        try make(0, in: fixture)
        for number in 0..<calls { try make(0x800 + number * 8, in: fixture) }
        #expect(fixture.store.counts.regions == calls + 1)
        #expect(fixture.store.counts.replacedRegions == TranslatedPage.OpenRegion.lastVersion)
        for number in 0..<calls { #expect(fixture.page(0).isRegional(0x800 + number * 8)) }
    }

    /// Hundreds of blocks lead to the same ones, which each region has once more.
    @Test func aPageHasABoundedAmountOfCode() throws {
        let count = 600
        let fixture = try StoreFixture(
            try Toolchain.assemble(
                """
                    .option norvc
                    .rept \(count)
                    j core
                    .endr
                core:
                    .rept 80
                    beqz a0, 1f
                    ld a1, 0(a2)
                1:  addi a0, a0, -1
                    .endr
                    ret
                """, at: Toolchain.base))
        for number in 0..<count { #expect(fixture.store.makeRegion(fixture.request(0, number * 4))) }
        let counts = fixture.store.counts
        #expect(counts.regions > 10 && counts.regions < count)
        #expect(1 << 20..<5 << 18 ~= counts.regionBytes)
    }

    /// The loop is in its first region when a function becomes hot, and so on; what is computed stays the same.
    @Test(arguments: [1, 2], [false, true])
    func hartsComputeTheSameWhileTheirRegionsAreReplaced(count: Int, isRelative: Bool) throws {
        let program = try Toolchain.assemble(
            """
                li s1, 300000
                la s2, first
                la s3, second
                la s5, main
                li a2, 0
                jr s5
                .balign 4096
            main:
                mv a1, s2
                srli t0, s1, 17
                andi t0, t0, 1
                beqz t0, 1f
                mv a1, s3
            1:  jalr a1
                addi s1, s1, -1
                bnez s1, main
                la t0, sum
                amoadd.d x0, a2, (t0)
                \(AerieRunner.end(ofHarts: count))
            first:
                add a2, a2, s1
                ret
            second:
                slli t1, s1, 3
                xor a2, a2, t1
                bltz a2, 3f
                addi a2, a2, 5
            3:  ret
                .balign 8
            sum:
                .dword 0
            """, at: Toolchain.base)
        let sum = program.count - 16..<program.count - 8
        let expected = try AerieRunner().run(program, harts: count, memory: 1 << 20, dump: sum)
        let runner = AerieRunner(translates: true, makesRegions: true, isRelative: isRelative)
        let (outcome, counts) = try runner.runCounting(program, harts: count, memory: 1 << 20, dump: sum)
        #expect(outcome.end == .exit(0) && expected.end == .exit(0))
        #expect(outcome.memory == expected.memory)
        let made = try #require(counts)
        #expect(made.replacedRegions > 0)
    }
}

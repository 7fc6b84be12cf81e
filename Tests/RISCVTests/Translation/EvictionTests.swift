import GuestMemory
import GuestToolchain
import Testing

@testable import RISCV
@testable import TranslationRuntime

/// What is evicted from a full code cache, and what is not.
@Suite struct EvictionTests {
    /// Pages of blocks that fill the smallest cache with fifty of them or so.
    private func fixture() throws -> StoreFixture {
        try StoreFixture(
            try Toolchain.assemble(
                """
                    .option norvc
                again:
                    .rept 400
                    ld t0, 0(sp)
                    add a0, a0, t0
                    .endr
                    j again
                """, at: Toolchain.base))
    }

    /// The first instructions of all blocks.
    private static let offsets = stride(from: 0, to: 3204, by: 48 * 4)

    @Test func codeThatIsUsedAllTheTimeStaysWhenOtherCodeGoes() throws {
        let fixture = try fixture()
        var misses = 0
        for number in 1..<StoreFixture.pageCount {
            for offset in Self.offsets {
                if fixture.page(0).entries[0] == nil { misses += 1 }
                _ = fixture.translate(0, 0)
                _ = fixture.translate(number, offset)
            }
        }
        let counts = fixture.store.counts
        // The cache was filled several times over.
        #expect(counts.evictions > 3 * CodeSegments.count)
        // Once at first, and before its use was known.
        #expect(misses <= 3)
        #expect(!fixture.page(StoreFixture.pageCount - 1).entries.isEmpty)
        // Pages that nobody came to again have lost their code, but for those next to what stays.
        #expect((1...100).count { fixture.page($0).entries.isEmpty } > 50)
    }

    @Test func whereRegionsBeganIsKnownWhenTheirCodeIsGone() throws {
        let fixture = try fixture()
        var lost: [RegionRequest] = []
        for number in 0..<200 {
            for offset in Self.offsets { lost += fixture.translate(number, offset) }
            for _ in 0..<6 {
                guard let request = fixture.store.sample(0, of: fixture.page(number), for: 0) else { continue }
                while !fixture.store.makeRegion(request) {
                    fixture.store.isRemoving = true
                    lost += fixture.store.makeRoom()
                }
            }
            #expect(fixture.page(number).isRegional(0))
        }
        #expect(fixture.store.counts.regions == 200)
        #expect(fixture.store.counts.evictions > CodeSegments.count)
        // Pages whose region was lost: one sample is enough for the next.
        let without = (0..<200).filter { fixture.page($0).samples[0] == 5 }
        #expect(!without.isEmpty)
        for number in without {
            #expect(!fixture.page(number).isRegional(0))
            _ = fixture.translate(number, 0)
        }
        let number = try #require(without.last)
        #expect(fixture.store.sample(0, of: fixture.page(number), for: 0) != nil)
        // Those of pages in use are asked for again at once.
        #expect(lost.allSatisfy { $0.offset == 0 })
    }

    /// Guests have many pages with many blocks, and time.
    @Test func littleIsRememberedOfBlocksWhoseCodeIsGone() throws {
        let count = 1024
        let image = try Toolchain.assemble(
            ".option norvc\n" + String(repeating: "beqz a0, .+4\n", count: count - 1) + "ret", at: Toolchain.base)
        // Without the word that images end with.
        let fixture = try StoreFixture(Array(image.prefix(4096)))
        let offsets = (0..<count).map { $0 * 4 }
        for offset in offsets { _ = fixture.translate(0, offset) }
        let page = fixture.page(0)
        for offset in offsets { #expect(fixture.store.sample(offset, of: page, for: 0) == nil) }
        // One that is hotter than the others.
        for _ in 0..<2 { #expect(fixture.store.sample(0x800, of: page, for: 0) == nil) }
        #expect(page.samples.count == count && page.evicted.isEmpty)

        var number = 1
        while !page.entries.isEmpty, number < StoreFixture.pageCount {
            for offset in offsets { _ = fixture.translate(number, offset) }
            number += 1
        }
        #expect(page.entries.isEmpty)
        #expect(page.evicted.count == RegionLifter.blockLimit && page.samples.count == RegionLifter.blockLimit)
        #expect(page.evicted.isSuperset(of: page.samples.keys))
        #expect(page.samples[0x800] == 3)
    }

    /// Only what was evicted is left of a page, and then the page becomes another one, or not.
    @Test(arguments: [false, true])
    func blocksThatWereEvictedAreForgottenWithTheirPage(changes: Bool) throws {
        let fixture = try fixture()
        for number in 0..<200 {
            for offset in Self.offsets { _ = fixture.translate(number, offset) }
        }
        let number = try #require(
            (0..<200).first { fixture.page($0).entries.isEmpty && !fixture.page($0).evicted.isEmpty })
        if changes { try fixture.memory.write([1, 2, 3], at: fixture.address(number) + 0xF00) }
        let page = fixture.page(number)
        page.verify(2, present: 2)
        #expect(page.evicted.isEmpty == changes)
    }
}

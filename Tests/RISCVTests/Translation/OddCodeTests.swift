import GuestMemory
import GuestToolchain
import Testing

@testable import RISCV
@testable import TranslationRuntime

/// Code that no compiler makes, but any guest can.
@Suite struct OddCodeTests {
    /// Translates a page, as baseline code and as a region.
    private func translate(_ program: String, at virtual: UInt64, _ offset: Int) throws -> TranslatedPage {
        // Images end with a word of their own.
        let image = try Toolchain.assemble(program, at: Toolchain.base).prefix(4096)
        let fixture = try StoreFixture(Array(image))
        let page = fixture.store.makePage(
            at: virtual, physical: fixture.address(0), source: UnsafeRawPointer(fixture.memory.hostBase), present: 1,
            watchedIn: nil)
        guard case .code = fixture.store.translate(offset, of: page, for: 0) else {
            Issue.record("there is something to translate")
            return page
        }
        let request = RegionRequest(page: page, offset: offset, epoch: page.epoch, processor: 0)
        #expect(fixture.store.makeRegion(request))
        #expect(page.isRegional(offset))
        return page
    }

    @Test func codeUpToTheEndOfTheAddressSpaceIsTranslated() throws {
        let page = try translate(
            """
                .option norvc
                .org 0xFF8
                addi a0, a0, 1
                addi a0, a0, 2
            """, at: ~0xFFF, 0xFF8)
        #expect(page.entries.keys.sorted() == [0xFF8])
    }

    /// The least number that an addition's constant of 32 bits can be, between accesses by the base that it moves.
    @Test(arguments: ["0x80000", "0x7FFFF", "0xFFFFF", "1"])
    func aBaseMayMoveByAnyConstant(upper: String) throws {
        let page = try translate(
            """
                .option norvc
            again:
                lui t1, \(upper)
                ld a1, 0(a0)
                ld a2, 8(a0)
                add a0, a0, t1
                ld a3, 16(a0)
                ld a4, 24(a0)
                add a0, a0, t1
                sd a3, 0(a0)
                bnez a1, again
                ret
            """, at: Toolchain.base, 0)
        #expect(page.isRegional(0))
    }
}

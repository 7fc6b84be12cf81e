import GuestMemory
import GuestToolchain
import HostSystem
import Testing

@testable import RISCV
@testable import TranslationRuntime

/// Regions that go on in the page that follows in virtual memory.
@Suite struct BorderTests {
    /// Each page ends with the start of a loop and begins with the end of one.
    private func fixture() throws -> StoreFixture {
        // Without the word that images end with.
        try StoreFixture(
            Array(
                try Toolchain.assemble(
                    """
                        .option norvc
                    first:
                        addi a0, a0, 1
                        bnez a1, first - 16
                        ret
                        .org 0xFF0
                        add a2, a2, a0
                        addi a1, a1, -1
                        add a3, a3, a0
                        nop
                        .org 0x1000
                    """, at: Toolchain.base
                ).prefix(4096)))
    }

    private static let start = 0xFF0

    /// A region of page 0 whose loop goes on in page 1.
    private func makeRegion(in fixture: StoreFixture) {
        _ = fixture.translate(0, Self.start)
        _ = fixture.translate(1, 0)
        var request = fixture.request(0, Self.start)
        request.next = fixture.address(1)
        #expect(fixture.store.makeRegion(request))
        #expect(fixture.store.counts.regions == 1 && fixture.store.counts.regionsOfTwoPages == 1)
    }

    @Test func aLoopAcrossTheBorderIsARegion() throws {
        let fixture = try fixture()
        makeRegion(in: fixture)
        #expect(fixture.page(0).isRegional(Self.start))
        // It is entered in its first page only.
        #expect(!fixture.page(1).isRegional(0))
    }

    @Test func withoutAWayBackARegionEndsAtTheBorder() throws {
        let fixture = try fixture()
        try fixture.memory.write([0x67, 0x80, 0, 0], at: fixture.address(1))
        _ = fixture.translate(0, Self.start)
        _ = fixture.translate(1, 0)
        var request = fixture.request(0, Self.start)
        request.next = fixture.address(1)
        #expect(fixture.store.makeRegion(request))
        #expect(fixture.store.counts.regions == 1 && fixture.store.counts.regionsOfTwoPages == 0)
    }

    @Test(arguments: [0, 4])
    func whenTheNextPageChangesTheRegionIsForgotten(offset: UInt64) throws {
        let fixture = try fixture()
        makeRegion(in: fixture)
        let page = fixture.page(0)
        page.verify(2, present: 2)
        #expect(page.isRegional(Self.start))
        try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(1) + offset)
        page.verify(3, present: 3)
        #expect(page.entries.isEmpty)
    }

    @Test func otherBytesOfTheNextPageMayChange() throws {
        let fixture = try fixture()
        makeRegion(in: fixture)
        try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(1) + 8)
        fixture.page(0).verify(2, present: 2)
        #expect(fixture.page(0).isRegional(Self.start))
    }

    /// The next page's code is compared also when it was evicted, or another processor has compared it before.
    @Test func theNextPageMayChangeBeforeOthersLook() throws {
        let fixture = try fixture()
        makeRegion(in: fixture)
        try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(1))
        fixture.page(1).verify(2, present: 2)
        #expect(fixture.page(1).entries.isEmpty && fixture.page(0).isRegional(Self.start))
        fixture.page(0).verify(2, present: 2)
        #expect(fixture.page(0).entries.isEmpty)
    }

    @Test func aChainOfPagesIsComparedInTurnsThatDoNotNest() throws {
        let fixture = try fixture()
        for number in 0..<StoreFixture.pageCount { _ = fixture.translate(number, 0) }
        for number in 0..<StoreFixture.pageCount - 1 {
            _ = fixture.translate(number, Self.start)
            var request = fixture.request(number, Self.start)
            request.next = fixture.address(number + 1)
            #expect(fixture.store.makeRegion(request))
        }
        #expect(fixture.store.counts.regionsOfTwoPages == StoreFixture.pageCount - 1)
        try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(1))
        for number in 0..<StoreFixture.pageCount { fixture.page(number).verify(2, present: 2) }
        #expect((0..<StoreFixture.pageCount).filter { fixture.page($0).entries.isEmpty } == [0, 1])
    }

    /// Regions of many pages, until there is no room for all: those that go are asked for again with their second pages.
    @Test func evictedRegionsAreAskedForWithTheirSecondPages() throws {
        let start = 0x800
        // Without the word that images end with.
        let page = try Toolchain.assemble(
            """
                .option norvc
            first:
                addi a0, a0, 1
                bnez a1, first - 4096 + \(start)
                ret
                .org \(start)
                .rept 256
                ld t0, 0(sp)
                add a2, a2, t0
                .endr
                .org 0x1000
            """, at: Toolchain.base
        ).prefix(4096)
        let fixture = try StoreFixture(Array(page))
        var lost: [RegionRequest] = []
        for number in 0..<StoreFixture.pageCount - 1 {
            lost += fixture.translate(number, start) + fixture.translate(number + 1, 0)
            for _ in 0..<6 { _ = fixture.store.sample(start, of: fixture.page(number), for: 0) }
            var request = fixture.request(number, start)
            request.next = fixture.address(number + 1)
            while !fixture.store.makeRegion(request) {
                // All are in use.
                for other in 0..<number { _ = fixture.page(other) }
                fixture.store.isRemoving = true
                lost += fixture.store.makeRoom()
            }
        }
        #expect(fixture.store.counts.evictions > 0 && !lost.isEmpty)
        for request in lost { #expect(request.next == request.page.physical + 4096) }
        // What is left is right.
        let left = (0..<StoreFixture.pageCount - 1).filter { fixture.page($0).isRegional(start) }
        #expect(!left.isEmpty)
        for number in left {
            try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(number + 1))
            fixture.page(number).verify(2, present: 2)
            #expect(!fixture.page(number).isRegional(start))
        }
    }

    /// Saved twice: the second time by a store that has looked at the page and changed nothing, or has loaded all of it.
    @Test(arguments: [false, true], [false, true])
    func savedRegionsHaveTheirSecondPage(loads: Bool, changes: Bool) throws {
        var fixture = try fixture()
        makeRegion(in: fixture)
        for _ in 0..<2 {
            let file = try makeMemoryFile(name: "saved-code", size: 0)
            let isSaved = try fixture.store.save(to: file)
            fixture = try self.fixture()
            let isAdopted = fixture.store.adopt(file, isForBoot: false)
            #expect(isSaved && isAdopted)
            let page = fixture.page(0)
            #expect(page.continuations.count == 1)
            if loads { fixture.store.load(page) }
            #expect(fixture.store.entry(Self.start, of: page)?.isRegional == true)
        }
        if changes { try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(1)) }
        fixture.page(0).verify(2, present: 2)
        #expect((fixture.store.entry(Self.start, of: fixture.page(0)) == nil) == changes)
    }

    /// The second page is another one, whose code was made anew before the first page is asked for.
    @Test func aSavedRegionIsComparedWithItsSecondPage() throws {
        let fixture = try fixture()
        makeRegion(in: fixture)
        let file = try makeMemoryFile(name: "saved-code", size: 0)
        let isSaved = try fixture.store.save(to: file)
        let next = try self.fixture()
        let isAdopted = next.store.adopt(file, isForBoot: false)
        #expect(isSaved && isAdopted)
        try next.memory.write([0x13, 0, 0, 0], at: next.address(1))
        next.page(1).verify(1, present: 1)
        _ = next.translate(1, 0)
        let page = next.page(0)
        page.verify(1, present: 1)
        #expect(next.store.entry(Self.start, of: page) == nil)
    }

    /// All pages of the fixture have the same contents.
    @Test(arguments: [false, true])
    func aSavedRegionOfTwoPagesIsForNoOtherPage(hasRegion: Bool) throws {
        let fixture = try fixture()
        if hasRegion { makeRegion(in: fixture) } else { _ = fixture.translate(0, Self.start) }
        let file = try makeMemoryFile(name: "saved-code", size: 0)
        let isSaved = try fixture.store.save(to: file)
        let next = try self.fixture()
        let isAdopted = next.store.adopt(file, isForBoot: true)
        #expect(isSaved && isAdopted)
        let page = next.store.makePage(
            at: next.address(0), physical: next.address(3), source: UnsafeRawPointer(next.memory.hostBase) + 3 << 12,
            present: 1, watchedIn: nil)
        #expect((next.store.entry(Self.start, of: page) == nil) == hasRegion)
    }

    /// Code that goes on at address 0.
    @Test func theLastPageOfTheAddressSpaceIsFollowedByTheFirst() throws {
        let fixture = try fixture()
        let page = fixture.store.makePage(
            at: 0xFFFF_FFFF_FFFF_F000, physical: fixture.address(0),
            source: UnsafeRawPointer(fixture.memory.hostBase), present: 1, watchedIn: nil)
        _ = fixture.translate(1, 0)
        if case .noRoom = fixture.store.translate(Self.start, of: page, for: 0) { Issue.record("there is room") }
        let request = RegionRequest(
            page: page, offset: Self.start, epoch: page.epoch, processor: 0, next: fixture.address(1))
        #expect(fixture.store.makeRegion(request))
        #expect(fixture.store.counts.regionsOfTwoPages == 1)
    }
}

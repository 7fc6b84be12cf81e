import GuestMemory
import GuestToolchain
import HostSystem
import Testing

@testable import RISCV
@testable import TranslationRuntime

/// Regions are made from what a page was when a hart asked for one, by a thread that takes its time.
@Suite(.timeLimit(.minutes(10))) struct RegionWorkerTests {
    /// A loop, and a block behind it.
    private func fixture(regionThreshold: Int = 6) throws -> StoreFixture {
        try StoreFixture(
            try Toolchain.assemble(
                """
                again:
                    addi a0, a0, 1
                    bnez a1, again
                    j far
                    .org 0x800
                far:
                    addi a0, a0, 2
                    ret
                """, at: Toolchain.base), regionThreshold: regionThreshold)
    }

    @Test func aRegionTakesThePlaceOfItsBlocksWhenItIsFinished() throws {
        let fixture = try fixture()
        #expect(fixture.translate(0, 0).isEmpty)
        let baseline = try #require(fixture.page(0).entries[0])
        let work = try #require(fixture.store.startRegion(fixture.request(0)))
        work.generate()
        // Meanwhile harts get what they ask for.
        #expect(fixture.translate(1, 0).isEmpty)
        #expect(fixture.page(0).entries[0]?.position == baseline.position)
        #expect(fixture.page(1).entries[0] != nil)

        #expect(fixture.store.finishRegion(work) == .done)
        #expect(fixture.store.counts.regions == 1 && fixture.store.counts.droppedRegions == 0)
        #expect(fixture.page(0).isRegional(0) && fixture.page(0).isRegional(0x800))
        #expect(fixture.page(0).entries[0]?.position != baseline.position)
        #expect(fixture.store.startRegion(fixture.request(0)) == nil)
    }

    /// The store has bytes of baseline code, of code that only the region has, and of none.
    @Test(arguments: [(offset: 0, isDropped: true), (0x800, true), (0x400, false)], [false, true])
    func aRegionOfAPageThatChangedMeanwhileIsDropped(change: (offset: Int, isDropped: Bool), isSeen: Bool) throws {
        let fixture = try fixture()
        _ = fixture.translate(0, 0)
        let work = try #require(fixture.store.startRegion(fixture.request(0)))
        work.generate()
        try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(0) + UInt64(change.offset))
        // A hart may have executed a FENCE.I and come to the page before the region is finished, or not.
        if isSeen { fixture.page(0).verify(2, present: 2) }
        #expect(fixture.store.finishRegion(work) == .done)
        #expect(fixture.store.counts.regions == (change.isDropped ? 0 : 1))
        #expect(fixture.store.counts.droppedRegions == (change.isDropped ? 1 : 0))
        #expect(fixture.page(0).isRegional(0) == !change.isDropped)
    }

    @Test func aRequestFromBeforeAChangeIsDropped() throws {
        let fixture = try fixture()
        _ = fixture.translate(0, 0)
        let request = fixture.request(0)
        try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(0))
        #expect(fixture.store.startRegion(request) == nil)
        #expect(fixture.store.counts.droppedRegions == 1)
    }

    /// Harts make regions there, with the builder that the worker would use.
    @Test func nobodyAsksTheWorkerWhereRegionsAreMadeAtOnce() throws {
        let fixture = try fixture(regionThreshold: 0)
        _ = fixture.translate(0, 0)
        #expect(fixture.page(0).isRegional(0))
        // A change that nobody has seen yet: what is made first after it is no region.
        try fixture.memory.write([0x13, 0, 0, 0], at: fixture.address(0))
        _ = fixture.translate(0, 0x802)
        let page = fixture.page(0)
        #expect(page.entries[0x802] != nil && !page.isRegional(0x802))
        for _ in 0..<64 { #expect(fixture.store.sample(0x802, of: page, for: 0) == nil) }
    }

    @Test func theWorkerMakesAllRegionsThatItHasRoomToRemember() throws {
        let fixture = try fixture()
        let store = fixture.shared()
        let worker = RegionWorker(store)
        // The worker takes one request, and waits for the lock with it.
        store.withLock { _ in
            for number in 0..<RegionWorker.limit + 36 {
                _ = fixture.translate(number, 0)
                #expect(worker.submit(fixture.request(number)))
                // Twice is as once.
                #expect(worker.submit(fixture.request(number)))
            }
        }
        var regions = 0
        while regions < RegionWorker.limit {
            yieldProcessor()
            regions = store.withLock { $0.counts.regions }
        }
        worker.close()
        let counts = store.withLock { $0.counts }
        #expect(RegionWorker.limit...RegionWorker.limit + 2 ~= counts.regions)
        #expect(counts.droppedRegions == 0)
    }

    @Test func aWorkerEndsWithItsQueueFull() throws {
        for _ in 0..<10 {
            weak var left: TranslationStore?
            do {
                let fixture = try fixture()
                left = fixture.store
                let worker = RegionWorker(fixture.shared())
                // No lock is needed before the thread starts.
                let requests = (0..<RegionWorker.limit).map { fixture.request($0) }
                for request in requests { #expect(worker.submit(request)) }
                worker.close()
            }
            #expect(left == nil)
        }
    }

    /// A hart's loop becomes a region while it runs; releasing the machine ends the thread.
    @Test(arguments: [1, 4])
    func aMachineIsReleasedWhileItsRegionsAreMade(harts: Int) throws {
        let fixture = try fixture()
        for _ in 0..<5 {
            weak var engine: TranslationEngine?
            do {
                let machine = (0..<harts).map {
                    Hart(
                        index: $0, addressSpace: fixture.hart.state.pointee.addressSpace,
                        timeBase: fixture.hart.state.pointee.timeBase, resetAddress: Toolchain.base,
                        isAlone: harts == 1)
                }
                for hart in machine { hart[integer: 11] = 1 }
                try Hart.startTranslating(machine, threshold: 1, regionThreshold: 1)
                engine = machine[0].state.pointee.translation.engine
                let threads = try machine.map { hart in try HostThread(name: "hart") { _ = hart.run() } }
                while engine?.counts.regions == 0 { yieldProcessor() }
                for hart in machine { hart.requestExit() }
                for thread in threads { thread.join() }
            }
            #expect(engine == nil)
        }
    }
}

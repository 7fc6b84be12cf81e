import GuestMemory
import GuestToolchain
import Synchronization
import Testing

@testable import RISCV
@testable import TranslationRuntime

/// Harts forget code before it is removed, and come to make room for what waits for it.
@Suite struct RemovalTests {
    private func fixture() throws -> (StoreFixture, TranslationEngine) {
        let fixture = try StoreFixture(try Toolchain.assemble("again: j again", at: Toolchain.base))
        try Hart.startTranslating([fixture.hart])
        let engine = fixture.hart.state.pointee.translation.engine
        return (fixture, try #require(engine))
    }

    /// A hart that carries out the fence has looked for removals before, when there were none.
    @Test func theFenceByWhichAHartIsAskedForItMakesItForgetRemovedCode() throws {
        let (fixture, engine) = try fixture()
        let state = fixture.hart.state
        let address = fixture.address(0)
        guard
            case .code(let entry) = engine.translate(
                address, physical: address, source: UnsafeRawPointer(fixture.memory.hostBase), watchedIn: nil,
                in: &state.pointee.translation),
            let (_, page, epoch) = engine.find(
                address, physical: address, generation: state.pointee.translation.generation)
        else {
            Issue.record("a jump can be translated")
            return
        }
        func known() -> CodeEntry? {
            state.pointee.translation.lookups.find(
                address, physical: address, generation: state.pointee.translation.generation, engine)
        }
        func insert() {
            state.pointee.translation.lookups.insert(
                physical: address, generation: state.pointee.translation.generation, entry, of: page, epoch: epoch)
        }
        var fences = PendingFences()
        fences.add(.instructions)

        // A fence alone leaves what did not change.
        insert()
        state.pointee.carryOut(fences)
        #expect(known() == entry)

        engine.removals.add(1, ordering: .sequentiallyConsistent)
        state.pointee.carryOut(fences)
        #expect(known() == nil)
        let seen = state.pointee.translation.seenRemovals
        #expect(seen == 1)
    }

    @Test(arguments: [false, true])
    func aHartInBaselineCodeLeavesItWhenTheWorkerWaitsForRoom(isWaiting: Bool) throws {
        let (fixture, engine) = try fixture()
        let signals = fixture.hart.signals
        signals.pointee.attention.store(0, ordering: .relaxed)
        engine.worker.wantsRoom.store(isWaiting, ordering: .relaxed)
        engine.sample(0, physical: nil, in: &fixture.hart.state.pointee.translation)
        let attention = signals.pointee.attention.load(ordering: .relaxed)
        #expect(attention == (isWaiting ? 1 : 0))
    }
}

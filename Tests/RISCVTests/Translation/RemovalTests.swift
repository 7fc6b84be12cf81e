import GuestMemory
import GuestToolchain
import Synchronization
import Testing

@testable import RISCV

/// Harts forget code before it is removed, and come to make room for what waits for it.
@Suite struct RemovalTests {
    private func fixture() throws -> (StoreFixture, TranslationEngine) {
        let fixture = try StoreFixture(try Toolchain.assemble("again: j again", at: Toolchain.base))
        try Hart.startTranslating([fixture.hart])
        let engine = fixture.hart.state.pointee.translator
        return (fixture, try #require(engine))
    }

    /// A hart that carries out the fence has looked for removals before, when there were none.
    @Test func theFenceByWhichAHartIsAskedForItMakesItForgetRemovedCode() throws {
        let (fixture, engine) = try fixture()
        let state = fixture.hart.state
        let address = fixture.address(0)
        guard
            case .code(let entry) = engine.translate(
                address, physical: address, source: UnsafeRawPointer(fixture.memory.hostBase), in: state),
            let (_, page, epoch) = engine.find(address, physical: address, generation: state.pointee.codeGeneration)
        else {
            Issue.record("a jump can be translated")
            return
        }
        func known() -> OperationReference? {
            state.pointee.knownCode.find(
                address, physical: address, generation: state.pointee.codeGeneration, engine)
        }
        func insert() {
            state.pointee.knownCode.insert(
                physical: address, generation: state.pointee.codeGeneration, entry, of: page, epoch: epoch)
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
        let seen = state.pointee.seenRemovals
        #expect(seen == 1)
    }

    @Test(arguments: [false, true])
    func aHartInStandardCodeLeavesItWhenTheWorkerWaitsForRoom(isWaiting: Bool) throws {
        let (fixture, engine) = try fixture()
        let signals = fixture.hart.signals
        signals.pointee.attention.store(0, ordering: .relaxed)
        engine.worker.wantsRoom.store(isWaiting, ordering: .relaxed)
        engine.sample(fixture.hart.state)
        let attention = signals.pointee.attention.load(ordering: .relaxed)
        #expect(attention == (isWaiting ? 1 : 0))
    }
}

import GuestMemory
import GuestToolchain
import HostSystem
import TestSupport
import Testing

@testable import RISCV
@testable import TranslationRuntime
@testable import Translator

/// Jumps whose targets have the same place in the jump cache: generated code finds them in its second level.
@Suite struct SecondLookupTests {
    /// Bits 13 and 2 cancel each other in an entry's number.
    private static let distance: UInt64 = 0x2004

    /// Counts at 0x8000 calls of two functions that are never in the jump cache at the same time.
    private let program = """
            .option norvc
            .option norelax
            li s0, 0x8000
            add s0, s0, a0
        again:
            jal first
            jal second
            ld t0, 0(s0)
            addi t0, t0, 1
            sd t0, 0(s0)
            j again
            .org 0x1000
        first:
            addi s1, s1, 1
            ret
            .org 0x3004
        second:
            addi s2, s2, 1
            ret
        """

    /// Runs until the number at `count` is larger than `turns`.
    private func run(_ hart: Hart, until count: UnsafeRawPointer, exceeds turns: UInt64) throws {
        let thread = try HostThread(name: "hart") { _ = hart.run() }
        let isDone = Patience.wait { count.load(as: UInt64.self) > turns }
        #expect(isDone)
        hart.requestExit()
        thread.join()
    }

    @Test func jumpsThatEvictEachOtherStayInGeneratedCode() throws {
        let fixture = try StoreFixture([])
        let base = fixture.address(0)
        try fixture.memory.write(try Toolchain.assemble(program, at: Toolchain.base), at: base)
        let hart = Hart(
            index: 0, addressSpace: fixture.hart.state.pointee.addressSpace,
            timeBase: fixture.hart.state.pointee.timeBase, resetAddress: base, isAlone: true)
        hart[integer: 10] = base
        try Hart.startTranslating([hart], threshold: 1, regionThreshold: 0)
        let count = UnsafeRawPointer(fixture.memory.hostBase) + 0x8000
        try run(hart, until: count, exceeds: 1000)

        // All that is translated is known to both levels, and the run loop can find nothing anymore.
        let state = hart.state
        let (first, second) = (base + 0x1000, base + 0x1000 ^ Self.distance)
        #expect(state.pointee.fetch.entry(first) == state.pointee.fetch.entry(second), "both have one place")
        let known = state.pointee.translation.engine
        let engine = try #require(known)
        let generation = state.pointee.translation.generation
        for address in [base + 8, base + 12, base + 16, first, second] {
            let (entry, page, epoch) = try #require(
                engine.find(address, physical: address, generation: generation))
            state.pointee.translation.lookups.insert(
                physical: address, generation: generation, entry, of: page, epoch: epoch)
            state.pointee.fetch.entry(address).pointee = JumpCache.Entry(
                address: address, tag: state.pointee.fetch.tag, operations: entry, code: entry.entryCode)
        }
        state.pointee.translation.engine = nil
        let before = count.load(as: UInt64.self)
        try run(hart, until: count, exceeds: before + 100_000)
        let turns = count.load(as: UInt64.self)
        #expect(hart[integer: 9] - turns <= 1)
        #expect(hart[integer: 18] - turns <= 1)
        // The interpreter runs what the budget ends before.
        for address in [first, second] { #expect(interpretedRuns(of: address, hart) < 10_000) }
        withExtendedLifetime(engine) {}
    }

    /// How often the interpreter ran a block that it counts without an engine: from the lowest number up.
    private func interpretedRuns(of address: UInt64, _ hart: Hart) -> Int {
        guard let block = hart.state.pointee.blocks.find(address) else { return 0 }
        let counter = block.counter.operation.pointee.immediate
        return counter < 0 ? Int(counter) - Int(Int32.min) : 0
    }

    /// A load that follows a store to another address with the same low 12 bits waits for it on many processors.
    @Test func theReturnStackIsNotWhereJumpsLoadFieldsOfTheState() throws {
        let fixture = try StoreFixture([])
        let state = fixture.hart.state
        #expect(UInt(bitPattern: state) % 4096 == 0)
        let layout = StateLayout(of: state)
        let slots = stride(from: 0, to: HartState.controlOffset, by: 8)
        let jumps =
            [layout.codePage, layout.jumps.entries, layout.jumps.tag] + [layout.jumps.returnTop].compactMap { $0 }
        for offset in jumps + slots {
            #expect(!ReturnStack.places.contains(offset % 2048), "field at \(offset)")
        }
        let top = UInt(bitPattern: state.pointee.fetch.returns.top)
        #expect(ReturnStack.places.contains(Int(top % 2048)))
    }
}

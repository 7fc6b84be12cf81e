import GuestToolchain
import HostSystem
import Synchronization
import Testing

@testable import RISCV
@testable import TranslationRuntime

/// Code after a trim: the timers of an idle guest bring none back, and a guest that works gets it soon.
@Suite(.timeLimit(.minutes(10))) struct IdleGuestTests {
    /// Counts a0 down, and sleeps.
    private func fixture() throws -> (StoreFixture, TranslationEngine) {
        let fixture = try StoreFixture(
            try Toolchain.assemble(
                """
                again:
                    addi a0, a0, -1
                    bnez a0, again
                sleep:
                    wfi
                    j sleep
                """, at: Toolchain.base))
        try Hart.startTranslating([fixture.hart])
        let engine = fixture.hart.state.pointee.translation.engine
        return (fixture, try #require(engine))
    }

    private func hasCode(_ fixture: StoreFixture, _ engine: TranslationEngine) -> Bool {
        engine.find(fixture.address(0), physical: fixture.address(0), generation: 1) != nil
    }

    /// Runs the hart until `isDone` says so.
    private func run(_ hart: Hart, counting count: UInt64, until isDone: () -> Bool) throws {
        hart.state.pointee.pc = Toolchain.base
        hart[integer: 10] = count
        let thread = try HostThread(name: "hart") { _ = hart.run() }
        while !isDone() { yieldProcessor() }
        hart.requestExit()
        thread.join()
    }

    @Test("After a trim, a guest that retires few instructions is interpreted", arguments: [false, true])
    func rests(isTrimmed: Bool) throws {
        let (fixture, engine) = try fixture()
        if isTrimmed { Hart.trim([fixture.hart]) }
        let count = IdlePhase.budget / 2 - 100
        let sleeping = { [signals = fixture.hart.signals] in
            signals.pointee.sleeping.load(ordering: .sequentiallyConsistent)
        }
        try run(fixture.hart, counting: count, until: sleeping)
        let left = fixture.hart[integer: 10]
        #expect(left == 0)
        #expect(hasCode(fixture, engine) == !isTrimmed)
    }

    @Test("After a trim, a guest that works has generated code again")
    func works() throws {
        let (fixture, engine) = try fixture()
        Hart.trim([fixture.hart])
        try run(fixture.hart, counting: .max) { hasCode(fixture, engine) }
        let isIdle = fixture.hart.state.pointee.translation.isIdle(at: 0)
        #expect(!isIdle)
    }

    @Test("A phase of rest lasts over windows with few instructions each, and ends with the first one with many")
    func windows() {
        var phase = IdlePhase()
        func look(_ now: UInt64, _ retired: UInt64) -> Bool { phase.goesOn(now: now, retired: retired) }
        #expect(!look(1, 0))
        phase.start()
        var (now, retired): (UInt64, UInt64) = (1 << 40, 5)
        for _ in 0..<1000 {
            #expect(look(now, retired))
            now += IdlePhase.window
            retired += IdlePhase.budget
            #expect(look(now, retired))
            now += 1
        }
        #expect(look(now, retired))
        #expect(!look(now + IdlePhase.window, retired + IdlePhase.budget + 1))
        #expect(!look(now + 10 * IdlePhase.window, retired))
        phase.start()
        #expect(look(now + 20 * IdlePhase.window, retired))
    }
}

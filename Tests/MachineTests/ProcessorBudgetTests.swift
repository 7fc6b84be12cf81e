import Testing

@testable import Aerie

@Suite("The budget of a machine's processor time") struct ProcessorBudgetTests {
    private static let millisecond: UInt64 = 1_000_000

    @Test("A budget is exhausted when its period's time is used, and there again in the next period")
    func periods() {
        let start = 5_000 * Self.millisecond
        var budget = ProcessorBudget(percent: 30, threads: 2, now: start, used: 7)
        // Two threads can use it up in half the time.
        #expect(budget.look(now: start, used: 7) == .init(isExhausted: false, nextLook: start + 15 * Self.millisecond))
        let half = budget.look(now: start + 15 * Self.millisecond, used: 7 + 15 * Self.millisecond)
        #expect(half == .init(isExhausted: false, nextLook: start + 22 * Self.millisecond + 500_000))
        let spent = budget.look(now: start + 30 * Self.millisecond, used: 7 + 30 * Self.millisecond)
        #expect(spent == .init(isExhausted: true, nextLook: start + 100 * Self.millisecond))
        let next = budget.look(now: start + 100 * Self.millisecond, used: 7 + 30 * Self.millisecond)
        #expect(next == .init(isExhausted: false, nextLook: start + 115 * Self.millisecond))
    }

    @Test("Time beyond the limit is paid for by later periods, and unused time is lost")
    func debtAndIdleness() {
        var budget = ProcessorBudget(percent: 50, threads: 1, now: 0, used: 0)
        // Nobody looked for a whole period.
        #expect(
            budget.look(now: 100 * Self.millisecond, used: 120 * Self.millisecond)
                == .init(isExhausted: true, nextLook: 200 * Self.millisecond))
        #expect(
            budget.look(now: 200 * Self.millisecond, used: 120 * Self.millisecond)
                == .init(isExhausted: false, nextLook: 230 * Self.millisecond))
        // After a long rest there is one period's time, no more.
        #expect(
            budget.look(now: 10_000 * Self.millisecond, used: 120 * Self.millisecond)
                == .init(isExhausted: false, nextLook: 10_050 * Self.millisecond))
        #expect(
            budget.look(now: 10_050 * Self.millisecond, used: 170 * Self.millisecond)
                == .init(isExhausted: true, nextLook: 10_100 * Self.millisecond))
    }

    @Test("A clock that goes back, and limits of any size, trap nothing", arguments: [1, 100, 102_400])
    func extremes(percent: Int) {
        var budget = ProcessorBudget(percent: percent, threads: 65, now: 1 << 50, used: 1 << 50)
        for (now, used) in [(0, 0), (1 << 60, 0), (1 << 60, 1 << 60), (0, 1 << 61)] as [(UInt64, UInt64)] {
            #expect(budget.look(now: now, used: used).nextLook > now)
        }
    }

    /// A guest that is always busy, and a machine that looks as late as the host lets it.
    @Test(
        "A busy machine gets its limit on average, however many processors it has and however late the looks are",
        arguments: [(1, 1), (30, 1), (30, 4), (99, 1), (250, 4)], [0, 3, 250] as [UInt64])
    func average(machine: (percent: Int, processors: Int), delay: UInt64) {
        var generator = SystemRandomNumberGenerator()
        var now: UInt64 = 0
        var used: UInt64 = 0
        var isExhausted = false
        var budget = ProcessorBudget(percent: machine.percent, threads: machine.processors + 1, now: 0, used: 0)
        let end = 60_000 * Self.millisecond
        while now < end {
            let decision = budget.look(now: now, used: used)
            isExhausted = decision.isExhausted
            let lateness = delay == 0 ? 0 : UInt64.random(in: 0...delay, using: &generator) * Self.millisecond
            let next = decision.nextLook + lateness
            if !isExhausted { used += (next - now) * UInt64(machine.processors) }
            now = next
        }
        let average = Double(used) / Double(now) * 100
        // Looks that are late by more than a period lose some of the idle time after it.
        #expect(average < Double(machine.percent) + 3)
        if delay < 100 { #expect(average > Double(machine.percent) - 3) }
    }
}

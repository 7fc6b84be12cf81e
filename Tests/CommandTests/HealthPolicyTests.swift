import ControlAPI
import Testing

@Suite("The policy of health checks")
struct HealthPolicyTests {
    private let check = HealthCheck(command: ["true"], interval: 10, timeout: 5, startPeriod: 100, retries: 3)

    /// Runs one check at the time when it is due, which takes 2.
    private func run(_ outcome: HealthPolicy.Outcome, _ policy: inout HealthPolicy) -> Bool {
        policy.record(outcome, began: policy.nextCheck, ended: policy.nextCheck + 2)
    }

    @Test("The first check is due an interval after the start, and each further one an interval after an end")
    func times() {
        var policy = HealthPolicy(check, started: 1000)
        #expect(policy.nextCheck == 1010)
        _ = policy.record(.timedOut, began: 1010, ended: 1015)
        #expect(policy.nextCheck == 1025)
    }

    @Test("The first success makes a guest healthy, and as many failures in a row as it may have make it unhealthy")
    func states() {
        var policy = HealthPolicy(check, started: 0)
        #expect(policy.state == .starting)
        #expect(run(.ended(code: 0), &policy))
        #expect(policy.state == .healthy)
        #expect(!run(.ended(code: 1), &policy))
        #expect(!run(.timedOut, &policy))
        #expect(policy.failures == 2)
        #expect(!run(.ended(code: 0), &policy))
        #expect(policy.failures == 0)
        let outcomes = [HealthPolicy.Outcome.ended(code: 2), .timedOut, .notRun].map { run($0, &policy) }
        #expect(outcomes == [false, false, true])
        #expect(policy.state == .unhealthy)
        for _ in 0..<5 { #expect(!run(.notRun, &policy)) }
        #expect(policy.failures == 3)
        #expect(run(.ended(code: 0), &policy))
        #expect(policy.state == .healthy)
    }

    @Test("Failures while the guest starts do not count, until a check has succeeded or the time is over")
    func startPeriod() {
        var waiting = HealthPolicy(check, started: 0)
        // At 10, 22, … 94.
        for _ in 0..<8 { #expect(!run(.ended(code: 1), &waiting)) }
        #expect(waiting.failures == 0)
        #expect(waiting.nextCheck == 106)
        #expect([run(.notRun, &waiting), run(.notRun, &waiting), run(.notRun, &waiting)] == [false, false, true])
        #expect(waiting.state == .unhealthy)

        var early = HealthPolicy(check, started: 0)
        #expect(run(.ended(code: 0), &early))
        #expect([run(.notRun, &early), run(.notRun, &early), run(.notRun, &early)] == [false, false, true])
        #expect(early.nextCheck < 100)
    }

    @Test("A check that begins within the time to start and ends behind it does not count")
    func straddling() {
        var policy = HealthPolicy(check, started: 0)
        _ = policy.record(.timedOut, began: 99, ended: 104)
        #expect(policy.failures == 0)
        _ = policy.record(.timedOut, began: 100, ended: 105)
        #expect(policy.failures == 1)
    }

    @Test("Durations without a limit do not overflow")
    func longDurations() {
        let endless = HealthCheck(command: ["true"], interval: .max, timeout: 1, startPeriod: .max, retries: 1)
        var policy = HealthPolicy(endless, started: 5)
        #expect(policy.nextCheck == .max)
        let isChanged = policy.record(.notRun, began: 6, ended: 7)
        #expect(!isChanged)
        #expect(policy.nextCheck == .max)
    }

    @Test("A check is kept in a machine's record")
    func stored() throws {
        let text = try JSONValue(encoding: check)
        #expect(try text.decode(HealthCheck.self) == check)
        #expect(text["startPeriod"] == JSONValue(100))
    }
}

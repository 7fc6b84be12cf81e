internal import Aerie
internal import AgentClient
internal import AgentProtocol
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Runs a machine's health check again and again, in a process of its own.
struct HealthChecker {
    /// Seconds that the guest's agent has for its first word. The time of checks begins with it, so that a slow boot is not a failure.
    private static let bootLimit: UInt64 = 600

    private let check: HealthCheck
    private let client: AgentClient
    private let output: Int32

    /// - Parameter output: gets a byte of `HealthWatch` at each change.
    init(_ check: HealthCheck, _ machine: Machine, output: Int32) {
        self.check = check
        self.output = output
        let path = machine.record.configuration.sockets?.path ?? machine.file(Machine.socketName)
        client = AgentClient(
            SocketConnector(path: path), wait: AgentWait(limit: Self.seconds(check.timeout)))
    }

    func run() -> Never {
        var boot = AgentClient(client.connector, wait: AgentWait(limit: Self.bootLimit))
        boot.answerLimit = Self.bootLimit
        // An agent that does not come is what the first check finds.
        try? boot.ping()
        var policy = HealthPolicy(check, started: HostClock.monotonic())
        while true {
            Self.sleep(until: policy.nextCheck)
            let began = HostClock.monotonic()
            let outcome = outcome()
            if policy.record(outcome, began: began, ended: HostClock.monotonic()) {
                var byte = HealthWatch.byte(policy.state)
                if write(output, &byte, 1) != 1 { _exit(1) }
            }
        }
    }

    private func outcome() -> HealthPolicy.Outcome {
        do throws(AgentError) {
            let end = try client.run(CommandRequest(arguments: check.command), limit: check.timeout)
            return end.map { .ended(code: $0.code) } ?? .timedOut
        } catch {
            return .notRun
        }
    }

    /// At least one second: a whole number that a wait takes.
    private static func seconds(_ nanoseconds: UInt64) -> UInt64 { max(nanoseconds / 1_000_000_000, 1) }

    private static func sleep(until deadline: UInt64) {
        while true {
            let now = HostClock.monotonic()
            guard now < deadline else { return }
            let rest = deadline - now
            var time = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
            nanosleep(&time, nil)
        }
    }
}

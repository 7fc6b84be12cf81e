internal import AerieMachines
internal import AgentClient
internal import ControlAPI
internal import HostSystem
internal import Runtime

/// Asks the agents of running machines for their guests' addresses.
///
/// A guest decides whether it answers. Each question ends after a second for the connection and one for the answer, and many machines are
/// asked at the same time.
enum GuestAddresses {
    /// Seconds for the answer.
    private static let answerLimit: UInt64 = 1
    /// The most questions at the same time, each on a thread.
    private static let mostThreads = 32

    /// The addresses of a machine's guest; nil when the machine is not running, has no agent, or its agent does not answer.
    static func read(_ machine: Machine) -> [GuestAddress]? {
        // A paused guest cannot answer.
        guard machine.record.hasAgent, machine.status.state == .running else { return nil }
        let client = AgentClient(
            MachineEndpoints.agent(of: machine), wait: AgentWait(limit: 0), answerLimit: answerLimit)
        return try? client.guestAddresses()
    }

    /// The addresses of several machines' guests, in their order.
    static func read(_ machines: [Machine]) -> [[GuestAddress]?] {
        struct Work {
            var next = 0
            var results: [[GuestAddress]?]
        }
        let work = Monitor(Work(results: Array(repeating: nil, count: machines.count)))
        let ask: @Sendable () -> Void = {
            while true {
                let index = work.withLock { work in
                    defer { work.next += 1 }
                    return work.next
                }
                guard index < machines.count else { return }
                let addresses = read(machines[index])
                work.withLock { $0.results[index] = addresses }
            }
        }
        // This thread is one of them: without any other, the work takes longer.
        let threads = (1..<max(min(machines.count, mostThreads), 1)).compactMap { _ in
            try? HostThread(name: "addresses", body: ask)
        }
        ask()
        for thread in threads { thread.join() }
        return work.withLock { $0.results }
    }
}

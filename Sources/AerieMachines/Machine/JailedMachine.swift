internal import ControlAPI
internal import HostSystem
internal import Runtime

/// A machine in a jailed process of its own.
///
/// An object stands for the machine, which other programs and the `aerie` command manage as well. The machine goes on when the object goes away,
/// unless `MachineStore.withMachine` made it.
public final class JailedMachine: AgentMachine {
    let machine: Machine
    /// Where the machine is kept.
    public let store: MachineStore
    /// Of a machine that ends with this program.
    private let attendance = Monitor<MachineStarter.Attendance?>(nil)

    init(_ machine: Machine, in store: MachineStore) {
        self.machine = machine
        self.store = store
    }

    /// The machine's ID: 12 hexadecimal digits.
    public var id: String { machine.record.id }
    /// The machine's name when this object was made.
    public var name: String { machine.record.name }
    /// The machine's settings, with those of its image, when this object was made.
    public var configuration: Configuration { machine.record.configuration }
    /// The texts that are kept with the machine.
    public var labels: [String: String] { machine.record.labels }

    /// The way to the guest's agent.
    ///
    /// - Throws: `usage` for a guest that was not started from an image of Aerie.
    public var agent: GuestAgent {
        get throws(AerieError) {
            guard machine.record.hasAgent else {
                throw AerieError(
                    .usage, asked: "machine '\(name)'",
                    found: "its guest was not started from an image of Aerie, and has no agent",
                    advice: "use its console")
            }
            return GuestAgent(MachineConnector(machine: machine), name: name)
        }
    }

    // MARK: Lifecycle

    /// Starts the machine, and returns when its guest runs. A machine that has ended can be started again.
    ///
    /// - Throws: `usage` when it runs already, `unavailable` when the program `aerie-vm` is not there, and the errors of `VirtualMachine.start`.
    public func start() async throws(AerieError) {
        try await work("start") { [machine, store] in
            try store.starter().start(machine)
        }
    }

    /// As `start`, for a machine that shall not outlive this program.
    func startAttended() async throws(AerieError) {
        try await work("start") { [machine, store, attendance] in
            let value = try store.starter().startAttended(machine)
            attendance.withLock { $0 = value }
        }
    }

    /// Stops the machine between two instructions of each vCPU.
    ///
    /// - Throws: `usage` when it does not run.
    public func pause() async throws(AerieError) {
        try await work("pause") { [machine] in try machine.pause() }
    }

    /// Lets a paused machine run again.
    ///
    /// - Throws: `usage` when it is not paused.
    public func resume() async throws(AerieError) {
        try await work("resume") { [machine] in try machine.resume() }
    }

    /// Asks the guest to power itself off. A guest that does not within a day is killed.
    ///
    /// - Throws: `usage` when the machine does not run.
    public func requestPowerOff() async throws(AerieError) {
        try await call(.powerOff, ["timeout": JSONValue(MachineSettings.stopTimeouts.upperBound)])
    }

    /// Ends the machine at once, as if its power were cut, and returns when it has ended. A machine that does not run stays as it is.
    public func kill() async throws(AerieError) {
        try await work("kill") { [machine] in try MachineEnding.kill(machine) }
    }

    /// Asks the guest to power itself off, kills it when it does not within the limit, and returns when the machine has ended.
    ///
    /// The call goes on to its end when the task is cancelled.
    ///
    /// - Parameter limit: the time for the guest's programs to end, in whole seconds up to a day; zero kills at once.
    /// - Returns: the outcome of the machine's last run; `stopped` if it was killed or never started.
    @discardableResult
    public func stop(within limit: Duration) async throws(AerieError) -> VirtualMachine.Outcome {
        let seconds = Int(min((limit.nanoseconds + 999_999_999) / 1_000_000_000, 86_400))
        let watch = states
        try await work("stop") { [machine] in
            if seconds == 0 {
                try MachineEnding.kill(machine)
            } else {
                try MachineEnding.stop(machine, seconds: seconds)
            }
        }
        for await state in watch {
            if case .ended(let outcome) = state { return outcome }
            if state == .created { break }
        }
        if case .ended(let outcome) = await currentState { return outcome }
        return .stopped
    }

    /// Removes the machine, with its disk.
    ///
    /// - Parameter kills: whether a machine that runs is killed first.
    /// - Throws: `usage` when it runs.
    public func remove(killing kills: Bool = false) async throws(AerieError) {
        try await work("remove") { [machine, store] in
            if kills { try MachineEnding.kill(machine) }
            // A machine that removes itself at its end is gone by now.
            if kills, machine.isGone { return }
            try store.directory.remove(machine)
        }
    }

    /// Ends and removes a machine that `withMachine` has made, whatever its state is.
    func discard() async {
        try? await work("remove") { [machine, store] in
            try? MachineEnding.kill(machine)
            if !machine.isGone { try store.directory.remove(machine) }
        }
        attendance.withLock { $0 = nil }
    }

    // MARK: State

    /// The state at this moment.
    public var currentState: VirtualMachine.State {
        get async {
            (try? await BlockingWork.run("machine-state") { [machine] in VirtualMachine.State(machine) })
                ?? VirtualMachine.State(machine)
        }
    }

    /// The present state and each later one, until the machine's end; see `GuestMachine.states`. Short states in between may be missed.
    ///
    /// The sequence of a machine that has ended before begins with `ended` and goes on with its next start.
    public var states: AsyncStream<VirtualMachine.State> {
        AsyncStream(bufferingPolicy: .bufferingNewest(64)) { [machine, attendance] continuation in
            MachineStateWatch.start(machine, continuation) { attendance.withLock { $0 }?.end }
        }
    }

    /// The outcome of the machine, as soon as it has ended; of a machine that has ended before, the outcome of its last run.
    ///
    /// - Throws: `cancelled` when the task is cancelled first.
    public var outcome: VirtualMachine.Outcome {
        get async throws(AerieError) {
            for await state in states {
                if case .ended(let outcome) = state { return outcome }
            }
            throw AerieError.cancelled("waiting for the end of machine '\(name)'")
        }
    }

    // MARK: Calls

    private func call(
        _ method: ControlRequest.Method, _ parameters: [String: JSONValue] = [:]
    ) async throws(AerieError) {
        try await work(method.rawValue) { [machine] in _ = try ControlClient(machine).call(method, parameters) }
    }

    /// Calls `body` on a thread of its own.
    func work<Value: Sendable>(
        _ verb: String, _ body: @escaping @Sendable () throws -> Value
    ) async throws(AerieError) -> Value {
        let asked = "\(verb) of machine '\(name)'"
        return try await BlockingWork.run("machine-\(verb)") { () throws(AerieError) in
            try AerieError.wrapping(asked, body)
        }
    }
}

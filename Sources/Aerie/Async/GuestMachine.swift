/// A machine with a guest, in this process (`VirtualMachine`) or in a process of its own.
///
/// The calls have the same meaning for both kinds, so that code which uses this protocol runs its guests in either. No call blocks a thread
/// of Swift's cooperative pool.
public protocol GuestMachine: AnyObject, Sendable {
    /// Starts the machine, and returns when its guest runs.
    ///
    /// - Throws: `usage` when the machine's state does not permit it; errors of the guest's files and of the host.
    func start() async throws(AerieError)

    /// Stops the machine between two instructions of each vCPU.
    ///
    /// - Throws: `usage` when the machine does not run.
    func pause() async throws(AerieError)

    /// Lets a paused machine run again.
    ///
    /// - Throws: `usage` when the machine is not paused.
    func resume() async throws(AerieError)

    /// Asks the guest to power itself off. The call does not wait for the guest, which may ignore the request.
    func requestPowerOff() async throws(AerieError)

    /// Ends the machine at once, as if its power were cut. A machine that has ended stays as it is.
    func kill() async throws(AerieError)

    /// Asks the guest to power itself off, kills it when it does not within the limit, and returns when the machine has ended.
    ///
    /// - Parameter limit: the time for the guest's programs to end; zero kills at once.
    /// - Returns: the outcome of the machine's last run; `stopped` if it was killed or never started.
    /// - Throws: `cancelled` when the task is cancelled before the machine has ended; the machine may still run then.
    @discardableResult
    func stop(within limit: Duration) async throws(AerieError) -> VirtualMachine.Outcome

    /// The state at this moment.
    var currentState: VirtualMachine.State { get async }

    /// The present state and each later one, until the machine's end.
    ///
    /// Each access makes a sequence of its own. It finishes behind the first `ended` that the machine comes to. A reader that lags behind by
    /// more than 64 states loses the oldest ones.
    var states: AsyncStream<VirtualMachine.State> { get }

    /// The outcome of the machine, as soon as it has ended.
    ///
    /// - Throws: `cancelled` when the task is cancelled first.
    var outcome: VirtualMachine.Outcome { get async throws(AerieError) }

    /// Opens the guest's console, beside other sessions that are open.
    ///
    /// - Throws: `usage` when the machine has no console to open, or does not run where it has to.
    func openConsole() async throws(AerieError) -> ConsoleSession
}

extension GuestMachine {
    /// Asks the guest to power itself off, kills it when it does not within 10 seconds, and returns when the machine has ended.
    ///
    /// - Throws: as `stop(within:)`.
    @discardableResult
    public func stop() async throws(AerieError) -> VirtualMachine.Outcome { try await stop(within: .seconds(10)) }
}

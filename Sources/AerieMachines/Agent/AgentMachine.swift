/// A machine whose guest has an agent of Aerie, so that commands run in it and files are copied: in this process (`VirtualMachine`) or in a
/// jailed one (`JailedMachine`).
public protocol AgentMachine: GuestMachine {
    /// The way to the guest's agent.
    ///
    /// - Throws: `usage` for a guest without an agent.
    var agent: GuestAgent { get throws(AerieError) }
}

extension AgentMachine {
    /// Runs a command in the guest to its end, and collects its output.
    ///
    /// A task that is cancelled kills the command. A guest that still boots is waited for, up to `GuestAgent.patience`.
    ///
    /// - Parameters:
    ///   - command: the program, its arguments, and its time limit.
    ///   - input: the bytes of the standard input.
    ///   - outputLimit: bytes of the standard output, and of the standard error, that are kept; the rest is dropped.
    /// - Throws: `commandNotFound`, `refusedByGuest`, `connectionLost`, `cancelled`, and `usage` for a command that cannot be sent. A command that
    ///   fails is not an error: see the result's status.
    public func run(
        _ command: GuestCommand, input: [UInt8] = [], outputLimit: Int = 16 << 20
    ) async throws(AerieError) -> CommandResult {
        try await agent.run(command, input: input, outputLimit: outputLimit)
    }

    /// Starts a command in the guest, and returns when it runs.
    ///
    /// - Parameter hasInput: whether the command gets a standard input from `RunningCommand.send`; otherwise it is empty.
    /// - Throws: as `run`.
    public func exec(_ command: GuestCommand, hasInput: Bool = false) async throws(AerieError) -> RunningCommand {
        try await agent.exec(command, hasInput: hasInput)
    }

    /// Copies a file or a directory of this host into the guest, with modes, times, links and holes.
    ///
    /// - Parameters:
    ///   - source: of this host. The contents of a directory are copied for `DIRECTORY/.`, otherwise the directory itself.
    ///   - destination: of the guest: a directory that gets the copy, or the copy's own path.
    /// - Throws: `badInput` when a file could not be copied; the others were. `connectionLost`, `refusedByGuest` and `cancelled`.
    public func copyIn(_ source: String, to destination: String) async throws(AerieError) {
        try await agent.copyIn(source, to: destination)
    }

    /// Copies a file or a directory of the guest to this host; see `copyIn(_:to:)`.
    ///
    /// The guest decides on the amount of data: copy from guests that are not trusted to a file system with a limit.
    public func copyOut(_ source: String, to destination: String) async throws(AerieError) {
        try await agent.copyOut(source, to: destination)
    }

    /// The addresses of the guest's network interfaces; see `GuestAgent.addresses`.
    public var addresses: [GuestAddress] {
        get async throws(AerieError) { try await agent.addresses }
    }

    /// Waits until the guest's init has done its work; see `GuestAgent.waitUntilReady(within:)`.
    public func waitUntilReady(within limit: Duration = .seconds(60)) async throws(AerieError) {
        try await agent.waitUntilReady(within: limit)
    }
}

internal import AgentClient

extension GuestAgent {
    /// Starts a command in the guest; see `AgentMachine.exec`.
    public func exec(_ command: GuestCommand, hasInput: Bool = false) async throws(AerieError) -> RunningCommand {
        try command.validate()
        let driver = try CommandDriver(command, hasInput: hasInput, agent: self)
        let running = RunningCommand(driver)
        // A task that is cancelled meanwhile lets go of `running`, which ends the command.
        try await driver.started.value(driver.asked)
        return running
    }

    /// Runs a command in the guest to its end; see `AgentMachine.run`.
    public func run(
        _ command: GuestCommand, input: [UInt8] = [], outputLimit: Int = 16 << 20
    ) async throws(AerieError) -> CommandResult {
        let running = try await exec(command, hasInput: !input.isEmpty)
        let result: Result<CommandResult, AerieError> = await withTaskCancellationHandler {
            // Both at once: a command that fills one of them waits there.
            async let output = running.output.result(upTo: outputLimit)
            async let error = running.error.result(upTo: outputLimit)
            async let _ = Self.feed(input, to: running)
            return await Self.combine(output, error, running)
        } onCancel: {
            running.cancel()
        }
        return try result.get()
    }

    private static func feed(_ input: [UInt8], to running: RunningCommand) async {
        guard !input.isEmpty else { return }
        // A command need not read its input.
        try? await running.send(input)
        running.finishInput()
    }

    private typealias Collected = Result<(bytes: [UInt8], isTruncated: Bool), AerieError>

    private static func combine(
        _ output: Collected, _ error: Collected, _ running: RunningCommand
    ) async -> Result<CommandResult, AerieError> {
        do throws(AerieError) {
            let status = try await running.status
            let (output, error) = (try output.get(), try error.get())
            return .success(
                CommandResult(
                    status: status, output: output.bytes, error: error.bytes,
                    isTruncated: output.isTruncated || error.isTruncated))
        } catch {
            return .failure(error)
        }
    }
}

extension ByteStream {
    fileprivate func result(upTo limit: Int) async -> Result<(bytes: [UInt8], isTruncated: Bool), AerieError> {
        do throws(AerieError) {
            return .success(try await collect(upTo: limit))
        } catch {
            return .failure(error)
        }
    }
}

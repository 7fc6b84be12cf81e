/// A command that runs in a guest.
///
/// The command is killed by `cancel()`, at its time limit, and when nobody refers to this object or reads its streams any more.
///
/// Read both streams, or the command waits when the one that nobody reads is full, as with pipes. `dropError()` lets go of a stream that is of no interest.
public final class RunningCommand: Sendable {
    private let driver: CommandDriver

    init(_ driver: CommandDriver) { self.driver = driver }

    deinit { driver.cancel() }

    /// The standard output. It throws `connectionLost` when the guest or its agent ends early.
    public var output: ByteStream { ByteStream(driver.output, keeping: self) }

    /// The standard error; as `output`. That of a command with a terminal is empty.
    public var error: ByteStream { ByteStream(driver.error, keeping: self) }

    /// Sends bytes to the standard input. The call suspends while the command does not read.
    ///
    /// - Throws: `usage` for a command without input, `inputOutput` when the command has ended or closed its input, and `cancelled`.
    public func send(_ bytes: [UInt8]) async throws(AerieError) {
        try driver.requireInput()
        try await driver.input.send(bytes)
    }

    /// Sends a text to the standard input, as `send(_:)`.
    public func send(_ text: String) async throws(AerieError) { try await send(Array(text.utf8)) }

    /// Ends the standard input behind what was sent.
    public func finishInput() { driver.input.finish() }

    /// Sends a signal to the command's process group.
    ///
    /// - Parameter number: as of Linux, 1 to 64.
    /// - Throws: `usage` for another number.
    public func signal(_ number: Int32) throws(AerieError) {
        guard (1...64).contains(number) else {
            throw AerieError(
                .usage, asked: "signal \(number)", found: "it is not a number of a signal",
                advice: "give one from 1 to 64")
        }
        driver.signal(UInt32(number))
    }

    /// Tells the command's terminal that its window has another size, for which the guest's kernel sends SIGWINCH. Of sizes that follow each other
    /// quickly, the last one counts.
    ///
    /// - Throws: `usage` for a command without a terminal.
    public func resize(to size: TerminalSize) throws(AerieError) {
        guard driver.command.terminal != nil else {
            throw AerieError(
                .usage, asked: driver.asked, found: "it was started without a terminal",
                advice: "set GuestCommand.terminal")
        }
        driver.resize(to: size)
    }

    /// Drops the rest of the standard output, which the command may go on writing.
    public func dropOutput() { driver.output.close() }

    /// Drops the rest of the standard error, which the command may go on writing.
    public func dropError() { driver.error.close() }

    /// How the command ended, as soon as it has.
    ///
    /// - Throws: `connectionLost` when the guest or its agent ended first; `cancelled` for a task that is cancelled, and after `cancel()`.
    public var status: CommandStatus {
        get async throws(AerieError) { try await driver.ended.value(driver.asked) }
    }

    /// Kills the command. Its streams end, and its status is the error `cancelled`.
    public func cancel() { driver.cancel() }
}

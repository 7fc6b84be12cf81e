internal import Synchronization

/// One virtual machine in this process.
public final class VirtualMachine: Sendable {
    /// How a machine ended.
    public enum Outcome: Equatable, Sendable {
        /// The guest switched itself off.
        case poweredOff
        /// The guest reported a failure with a code of its own.
        case failed(code: Int)
        /// The guest asked for a reset and is not to be restarted.
        case reset
        /// The machine could not go on, for the reason in the text.
        case crashed(String)
        /// `kill` ended it.
        case stopped
    }

    /// Puts a machine together.
    public init(_ configuration: Configuration, console: any ConsoleChannel) throws(AerieError) {
        try configuration.validate()
    }

    /// Starts the vCPUs.
    public func start() throws(AerieError) {
        throw AerieError(.notStarted, asked: "start", found: "this branch has no board")
    }

    /// Waits for the end.
    public func wait() -> Outcome { .stopped }

    /// Asks the guest to switch itself off.
    public func requestPowerOff() {}

    /// Ends the machine now.
    public func kill() {}
}

package import Aerie
internal import Glibc
internal import HostSystem

/// A guest on this process's terminal, from its start to its end.
///
/// SIGTERM, SIGINT and SIGHUP ask the guest to power off; a second one, or `stopTimeout` without an end, kills it. The exit
/// codes are podman's: the guest's own when it ended by itself, even when it was asked to, and 137 (128 + SIGKILL) when
/// it was killed. Leaving with Ctrl-] is no failure.
package struct GuestSession {
    /// Seconds.
    package static let defaultStopTimeout = 10
    private static let killedCode: Int32 = 128 + SIGKILL

    private let configuration: Configuration
    private let stopTimeout: Int

    package init(_ configuration: Configuration, stopTimeout: Int) {
        self.configuration = configuration
        self.stopTimeout = stopTimeout
    }

    /// Runs the guest and returns the code to exit with.
    package func run() throws(AerieError) -> Int32 {
        // A reader of our output that goes away is told by write(2), in the console.
        SignalWatch.discard(SIGPIPE)
        let stopper = GuestStopper(timeout: UInt64(stopTimeout) * 1_000_000_000)
        let console = try TerminalChannel { event in
            switch event {
            case .escape: stopper.leave()
            case .outputLost: stopper.ask()
            }
        }
        let machine = try VirtualMachine(configuration, console: console)
        do throws(SystemError) {
            try stopper.start(machine)
            _ = try SignalWatch([SIGTERM, SIGINT, SIGHUP, SIGWINCH]) { signal in
                if signal == SIGWINCH { return console.windowSizeChanged() }
                stopper.ask()
            }
        } catch {
            throw AerieError(opening: "the guest's session", error)
        }
        try console.open()
        defer { console.close() }
        if console.isInteractive && StandardError.isTerminal {
            StandardError.write("aerie: Ctrl-] three times leaves the guest\r\n")
        }
        try machine.start()
        let outcome = machine.wait()
        stopper.finish()
        return try exitCode(of: outcome, left: stopper.hasLeft)
    }

    private func exitCode(of outcome: VirtualMachine.Outcome, left: Bool) throws(AerieError) -> Int32 {
        switch outcome {
        case .poweredOff, .reset: return 0
        // The shell keeps eight bits, and 0 would be a success.
        case .failed(let code): return (1...255).contains(code) ? Int32(code) : 255
        case .stopped: return left ? 0 : Self.killedCode
        case .crashed(let reason):
            throw AerieError(
                .internalError, asked: "running the guest", found: reason, advice: "report it if the guest is sound")
        }
    }
}

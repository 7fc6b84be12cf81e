internal import Aerie
internal import Glibc
internal import HostSystem
internal import Jail
internal import MachineSession
internal import Runtime

/// A machine in a jailed child of this process, which becomes its monitor.
///
/// Signals for the machine come to the monitor, which passes them on: a terminal sends its own to every process of the group, and the
/// machine must not count them twice.
struct JailedMachine {
    /// By which the monitor asks the machine to power off.
    private static let request = SIGUSR1
    private static let requests = [SIGTERM, SIGINT, SIGHUP]

    let configuration: Configuration
    let settings: RunSettings
    let log: SessionLog

    /// Returns the code to exit with: the machine's, whose process has reported its errors itself.
    func run(_ report: (AerieError) -> Int32) throws(AerieError) -> Int32 {
        let jail = try JailSettings(configuration)
        let process: JailedProcess
        do throws(JailError) {
            process = try Jail.start(jail) { inside in
                do throws(AerieError) { return try runMachine(inside, jail) } catch { return report(error) }
            }
        } catch { throw AerieError(jail: error) }
        let broker = Broker(jail)
        let ending = try Self.forwardingSignals(to: process) { process.waitForEnd(broker) }
        switch ending {
        case .exited(let code): return code
        case .signalled(let signal):
            guard let call = broker.forbiddenCall else { return 128 + signal }
            throw AerieError(
                .internalError, asked: "running the guest", found: "\(call)",
                advice: "the machine has ended; report it if the guest is sound")
        }
    }

    /// In the machine's process.
    private func runMachine(_ inside: JailInside, _ jail: JailSettings) throws(AerieError) -> Int32 {
        for signal in Self.requests { SignalWatch.discard(signal) }
        defer { log.close() }
        let door = JailDoor(inside: inside, settings: jail, isRequired: settings.requireJail ?? false)
        let timeout = settings.stopTimeout ?? GuestSession.defaultStopTimeout
        return try GuestSession(
            configuration, stopTimeout: timeout, log: log, services: door.services, stopSignals: [Self.request]
        ) { [log] () throws(AerieError) in try door.close(log) }.run()
    }

    private static func forwardingSignals<Result>(
        to process: JailedProcess, _ body: () -> Result
    ) throws(AerieError) -> Result {
        let identifier = process.identifier
        do throws(SystemError) {
            let loop = try EventLoop(name: "signals")
            try loop.start()
            defer { loop.stop() }
            // The process keeps its number until `body` has collected it, and the watch ends with the loop soon after.
            let watch = try SignalWatch(requests, on: loop) { _ in kill(identifier, request) }
            defer { watch.cancel() }
            return body()
        } catch { throw AerieError(.notStarted, asked: "the machine's monitor", found: "\(error)") }
    }
}

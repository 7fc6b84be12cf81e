package import Aerie
internal import ControlAPI
package import Runtime

/// Ends machines and waits until they have ended.
package enum MachineEnding {
    /// Seconds in which a machine's process answers, and ends after that. One that does not is killed: it may be in its guest's hands.
    private static let patience = 10
    /// The same for a process that has to bring things in order.
    private static let patienceOfStop = 60
    /// About 30 years.
    private static let longestStop = 1_000_000_000

    /// Lets a machine power off, and kills it when it does not. A paused one goes on for it.
    ///
    /// - Parameter seconds: nil for the machine's own.
    package static func stop(_ machine: Machine, seconds: Int?) throws(AerieError) {
        resume(machine)
        let seconds = min(seconds ?? machine.record.stopTimeout, longestStop)
        try end(machine, .powerOff, ["timeout": JSONValue(seconds)], within: seconds + patienceOfStop)
    }

    /// Asks a machine to power off, and waits for nothing.
    package static func requestPowerOff(_ machine: Machine) throws(AerieError) {
        resume(machine)
        try ControlClient(machine, limit: patience).call(.powerOff, ["timeout": JSONValue(longestStop)])
    }

    /// A guest that stands still hears no request.
    private static func resume(_ machine: Machine) {
        guard machine.status.state == .paused else { return }
        _ = try? ControlClient(machine, limit: patience).call(.resume)
    }

    package static func kill(_ machine: Machine) throws(AerieError) { try end(machine, .kill, [:], within: patience) }

    private static func end(
        _ machine: Machine, _ method: ControlRequest.Method, _ parameters: [String: JSONValue], within seconds: Int
    ) throws(AerieError) {
        guard machine.isRunning else { return }
        var seconds = seconds
        do throws(AerieError) {
            try ControlClient(machine, limit: patience).call(method, parameters)
        } catch  where !machine.isRunning {
            // It ended by itself meanwhile, which is what was wanted.
        } catch {
            // Between two runs of its restart policy, only the monitor is there. The connection is lost when the guest ends by itself just now:
            // the policy must not start it again.
            guard MachineSignal.end(machine) || error.category == .inputOutput else { throw error }
            if error == ControlClient.silence(of: machine) { seconds = 0 }
        }
        if !machine.hasEnded(within: seconds) {
            MachineSignal.kill(machine)
            // The monitor itself may be stopped, or hang.
            if !machine.hasEnded(within: patience) { MachineSignal.killMonitor(machine) }
        }
        try machine.waitForEnd()
    }
}

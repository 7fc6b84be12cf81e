package import Aerie
internal import ControlAPI
package import Runtime

/// Ends machines and waits until they have ended.
package enum MachineEnding {
    /// - Parameter seconds: nil for the machine's own.
    package static func stop(_ machine: Machine, seconds: Int?) throws(AerieError) {
        try end(machine, .powerOff, ["timeout": JSONValue(seconds ?? machine.record.stopTimeout)])
    }

    package static func kill(_ machine: Machine) throws(AerieError) { try end(machine, .kill, [:]) }

    private static func end(
        _ machine: Machine, _ method: ControlRequest.Method, _ parameters: [String: JSONValue]
    ) throws(AerieError) {
        guard machine.isRunning else { return }
        do throws(AerieError) {
            try ControlClient(machine).call(method, parameters)
        } catch  where !machine.isRunning {
            // It ended by itself meanwhile, which is what was wanted.
        } catch {
            // Between two runs of its restart policy, only the monitor is there. The connection is lost when the guest ends by itself just now:
            // the policy must not start it again.
            guard MachineSignal.end(machine) || error.category == .inputOutput else { throw error }
        }
        try machine.waitForEnd()
    }
}

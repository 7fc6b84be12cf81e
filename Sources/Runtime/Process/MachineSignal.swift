internal import ControlAPI
internal import Glibc

/// Signals to the monitor of a machine.
package enum MachineSignal {
    /// Asks the monitor to end a machine that does not answer at its control socket.
    ///
    /// - Returns: false when the machine has no monitor.
    package static func end(_ machine: Machine) -> Bool {
        // The process is the machine's as long as the machine's lock is held.
        let monitor = machine.status.monitor
        return machine.isRunning && monitor > 0 && kill(monitor, SIGTERM) == 0
    }
}

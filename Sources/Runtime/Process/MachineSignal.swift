internal import ControlAPI
internal import Glibc

/// Signals to the monitor of a machine.
package enum MachineSignal {
    /// Whether a process is stopped, by /proc/PID/stat: the state follows the name, which stands in parentheses.
    static func isStopped(_ process: Int32) -> Bool {
        guard let file = fopen("/proc/\(process)/stat", "r") else { return true }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = fread(&bytes, 1, bytes.count, file)
        guard let end = bytes[..<count].lastIndex(of: UInt8(ascii: ")")), end + 2 < count else { return true }
        return bytes[end + 2] == UInt8(ascii: "T")
    }

    /// Asks the monitor to end a machine that does not answer at its control socket.
    ///
    /// - Returns: false when the machine has no monitor.
    package static func end(_ machine: Machine) -> Bool {
        // The process is the machine's as long as the machine's lock is held.
        let monitor = machine.status.monitor
        return machine.isRunning && monitor > 0 && kill(monitor, SIGTERM) == 0
    }
}

internal import ControlAPI
internal import Glibc

/// Signals to the processes of a machine.
package enum MachineSignal {
    /// Whether a process is stopped.
    static func isStopped(_ process: Int32) -> Bool { fields(of: process).first.map { $0 == "T" } ?? true }

    /// The process that started another one; nil for one that has ended.
    private static func parent(of process: Int32) -> Int32? {
        let fields = fields(of: process)
        return fields.count > 1 ? Int32(fields[1]) : nil
    }

    /// The fields of /proc/PID/stat from the process's state on: they follow the name, which stands in parentheses (proc_pid_stat(5)).
    private static func fields(of process: Int32) -> [Substring] {
        ProcessFile.text("/proc/\(process)/stat")?.split(separator: ")").last?.split(separator: " ") ?? []
    }

    /// Asks the monitor to end a machine that does not answer at its control socket.
    ///
    /// - Returns: false when the machine has no monitor.
    package static func end(_ machine: Machine) -> Bool {
        // The process is the machine's as long as the machine's lock is held.
        let monitor = machine.status.monitor
        return machine.isRunning && monitor > 0 && Glibc.kill(monitor, SIGTERM) == 0
    }

    /// Kills the monitor of a machine, with which the machine's processes end.
    package static func killMonitor(_ machine: Machine) {
        let monitor = machine.status.monitor
        if machine.isRunning, monitor > 0 { _ = Glibc.kill(monitor, SIGKILL) }
    }

    /// Kills the process of a machine, whatever it does. Its monitor does not start it again.
    package static func kill(_ machine: Machine) {
        guard end(machine) else { return }
        let (process, monitor) = (machine.status.process, machine.status.monitor)
        // Between the two is the first process of the jail. As long as they are there, the number is nobody else's.
        guard process > 0, let parent = parent(of: process) else { return }
        if parent == monitor || Self.parent(of: parent) == monitor { _ = Glibc.kill(process, SIGKILL) }
    }
}

import Foundation

/// The processes of a running machine: its monitor, the jail's first process, and the machine's own.
enum MachineProcesses {
    /// The machine's own process, which is the child of the monitor's child; nil before it is there, and after its end.
    static func machine(of monitor: Int32) -> Int32? {
        children(of: monitor).lazy.compactMap { children(of: $0).first }.first
    }

    /// All processes below one.
    static func descendants(of process: Int32) -> [Int32] {
        children(of: process).flatMap { [$0] + descendants(of: $0) }
    }

    /// Whether a process with this number runs.
    static func exists(_ process: Int32) -> Bool {
        // A process that has ended and that nobody has collected counts as gone.
        guard let state = status(of: process).first else { return false }
        return state != "Z" && state != "X"
    }

    /// The fields of /proc/PID/stat from the process's state on: they follow the name in parentheses (proc_pid_stat(5)).
    static func status(of process: Int32) -> [Substring] {
        let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        return text.split(separator: ")").last?.split(separator: " ") ?? []
    }

    /// Whether all threads of a process have a tracer, or are gone.
    static func isTraced(_ process: Int32) -> Bool {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
        return tasks.allSatisfy { task in
            let text = try? String(contentsOfFile: "/proc/\(process)/task/\(task)/status", encoding: .utf8)
            return text?.contains("TracerPid:\t0\n") != true
        }
    }

    static func children(of process: Int32) -> [Int32] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
        return tasks.flatMap { task in
            ((try? String(contentsOfFile: "/proc/\(process)/task/\(task)/children", encoding: .utf8)) ?? "")
                .split(separator: " ").compactMap { Int32($0) }
        }
    }
}

internal import Aerie
internal import CScheduling
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// A machine's share of processors by the scheduler's own means: affinity, and nice values in place of weights.
enum SchedulerShare {
    /// The nice value whose weight is nearest: a step is a factor of 1.25, and 0 stands for an ordinary process.
    static func nice(weight: Int) -> Int32 {
        let steps = log(Double(weight) / Double(ProcessorShare.defaultWeight)) / log(1.25)
        return Int32(min(max(-steps.rounded(), -20), 19))
    }

    /// Gives all threads of a process a weight; threads that they start later have it, too.
    ///
    /// - Parameter monitor: the process that has started it.
    static func set(weight: Int, of process: Int32, monitor: Int32) throws(AerieError) {
        let value = nice(weight: weight)
        try forEachThread(of: process, "a processor weight of \(weight)") { thread in
            aerie_set_nice(thread, value)
        }
        // A host with autogroups (sched(7)) compares the nice values of sessions. A machine in the background has a session; a value that
        // is refused was refused for the threads before.
        let leader = getsid(process)
        if leader == process || leader == monitor {
            try? ProcessFile.write("\(value)", to: "/proc/\(leader)/autogroup")
        }
    }

    /// Lets all threads of a process run on these processors only.
    static func set(processors: [Int], of process: Int32) throws(AerieError) {
        var numbers = processors.map { Int32($0) }
        let count = Int32(numbers.count)
        let asked = "pinning to processors \(processors.map(String.init).joined(separator: ","))"
        try forEachThread(of: process, asked) { thread in aerie_set_affinity(thread, &numbers, count) }
    }

    /// How often threads are looked for that were started meanwhile. A process that starts threads without end does not keep its monitor busy.
    private static let mostLooks = 8

    /// Calls `body` for every thread that is there. Threads that a treated one starts are like it.
    private static func forEachThread(
        of process: Int32, _ asked: String, _ body: (Int32) -> Int32
    ) throws(AerieError) {
        var done: Set<Int32> = []
        for _ in 0..<mostLooks {
            let rest = ProcessFile.numbers(in: "/proc/\(process)/task").filter { !done.contains($0) }
            if rest.isEmpty { return }
            for thread in rest {
                try check(body(thread), asked)
                done.insert(thread)
            }
        }
    }

    private static func check(_ result: Int32, _ asked: String) throws(AerieError) {
        guard result != 0 else { return }
        switch errno {
        // The thread has ended.
        case ESRCH: return
        case EINVAL:
            throw AerieError(
                .unavailable, asked: asked, found: "this host has none of them for this user",
                advice: "see /sys/devices/system/cpu/online")
        case EPERM, EACCES:
            throw AerieError(
                .unavailable, asked: asked,
                found: "this user can neither make control groups nor raise priorities on this host",
                advice: "let the user manager delegate the controller cpu, or give other machines a lower weight")
        default: throw AerieError(.unavailable, asked: asked, found: String(cString: strerror(errno)))
        }
    }
}

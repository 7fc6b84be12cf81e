/// The agent's own process, and signals to others.
enum Process {
    static var identifier: Int32 { Int32(system(SystemCall.getpid)) }

    static var user: UInt32 { UInt32(truncatingIfNeeded: system(SystemCall.getuid)) }

    static func end(_ status: Int) -> Never {
        _ = system(SystemCall.exit_group, status)
        while true {}
    }

    /// Sends a signal to a process, or to a process group if the number is negative.
    static func signal(_ process: Int32, _ number: Int32) { _ = system(SystemCall.kill, Int(process), Int(number)) }

    enum Signal {
        static let hangUp: Int32 = 1
        static let interrupt: Int32 = 2
        static let kill: Int32 = 9
        static let user1: Int32 = 10
        static let user2: Int32 = 12
        static let terminate: Int32 = 15
        static let child: Int32 = 17
        static let goOn: Int32 = 18
    }

    /// Sets this process's nice value, -20 to 19.
    static func setPriority(_ nice: Int) { _ = system(SystemCall.setpriority, 0, 0, nice) }

    /// Keeps requests to end the system waiting, for an init that takes them: the kernel gives process 1 no signal that it does not handle.
    static func blockRequests() {
        var set: UInt64 = 0
        for number in [Signal.interrupt, Signal.user1, Signal.user2, Signal.terminate] {
            set |= 1 << UInt64(number - 1)
        }
        setMask(set)
    }

    /// Keeps every signal waiting: SIGPIPE becomes an error of write, and the others come through a descriptor.
    static func blockSignals() { setMask(UInt64.max) }

    static func unblockSignals() { setMask(0) }

    private static func setMask(_ signals: UInt64) {
        var set = signals
        _ = withUnsafeMutablePointer(to: &set) {
            // SIG_SETMASK
            system(SystemCall.rt_sigprocmask, 2, Int(bitPattern: $0), 0, 8)
        }
    }

    /// A descriptor that becomes readable with the signals of the set: bit N - 1 is signal N.
    static func signalDescriptor(_ signals: UInt64) throws(Errno) -> Descriptor {
        var set = signals
        return try Descriptor(
            withUnsafeMutablePointer(to: &set) {
                system(
                    SystemCall.signalfd4, -1, Int(bitPattern: $0), 8, OpenFlags.closeOnExec | OpenFlags.nonblocking)
            })
    }

    /// Gives every signal its default action: a shell starts its background jobs with some ignored. The agent's commands inherit the actions.
    static func resetSignals() {
        // handler, flags, restorer or mask, mask: all zero.
        var action: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for number in 1...64 {
            _ = withUnsafeMutablePointer(to: &action) {
                system(SystemCall.rt_sigaction, number, Int(bitPattern: $0), 0, 8)
            }
        }
    }

    /// Collects one process that has ended, or returns nil if there is none.
    static func collect() -> Ended? {
        var status: Int32 = 0
        let process = withUnsafeMutablePointer(to: &status) {
            // WNOHANG
            system(SystemCall.wait4, -1, Int(bitPattern: $0), 1, 0)
        }
        guard process > 0 else { return nil }
        let number = status & 0x7f
        let end: CommandEnd =
            number == 0
            ? .exited(UInt8(truncatingIfNeeded: status >> 8)) : .signalled(UInt8(truncatingIfNeeded: number))
        return Ended(process: Int32(process), end: end)
    }

    /// The soft limit of open descriptors that the agent was started with, which its commands get.
    nonisolated(unsafe) private static var usualDescriptors: UInt64 = 1024

    /// Lets the agent have the descriptors of all its sessions. The agent has one thread, so the variable has one user.
    static func raiseDescriptorLimit() {
        var limit: (soft: UInt64, hard: UInt64) = (0, 0)
        let files = 7  // RLIMIT_NOFILE
        guard
            withUnsafeMutablePointer(to: &limit, { system(SystemCall.prlimit64, 0, files, 0, Int(bitPattern: $0)) })
                == 0
        else { return }
        usualDescriptors = limit.soft
        limit.soft = min(limit.hard, 65_536)
        _ = withUnsafeMutablePointer(to: &limit) { system(SystemCall.prlimit64, 0, files, Int(bitPattern: $0), 0) }
    }

    /// Gives a new process the limit that the agent was started with.
    static func restoreDescriptorLimit() {
        var limit: (soft: UInt64, hard: UInt64) = (0, 0)
        let files = 7
        _ = withUnsafeMutablePointer(to: &limit) { system(SystemCall.prlimit64, 0, files, 0, Int(bitPattern: $0)) }
        limit.soft = min(usualDescriptors, limit.hard)
        _ = withUnsafeMutablePointer(to: &limit) { system(SystemCall.prlimit64, 0, files, Int(bitPattern: $0), 0) }
    }

    struct Ended {
        let process: Int32
        let end: CommandEnd
    }

    /// Forks. The result is zero in the new process.
    static func fork() throws(Errno) -> Int32 {
        Int32(try checked(system(SystemCall.clone, Int(Signal.child))))
    }
}

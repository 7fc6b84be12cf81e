/// The work of a thread of a machine's process. Each role has a filter of system calls of its own, on top of the process's.
enum ThreadRole: UInt32, CaseIterable, Sendable {
    /// The main thread, the control thread, and threads with names that are not known: the process's filter is theirs.
    case other = 0
    /// Runs a vCPU, and devices that the vCPU's accesses reach.
    case processor
    /// An event loop.
    case events
    /// Waits for disks.
    case disk
    /// Waits for the files of shared folders.
    case share
    /// Reads or writes a console or the log.
    case console
    /// Makes optimized code.
    case translator
    /// Waits for the alarm of the guest's clock.
    case clock

    /// The role of a thread with this name.
    init(threadName name: String) {
        self =
            switch name {
            case "io", "session": .events
            case "disk": .disk
            case "share": .share
            case "console-input", "console-output", "console-log", "log": .console
            case "translator": .translator
            case "rtc-alarm": .clock
            default: name.hasPrefix("vcpu") ? .processor : .other
            }
    }

    /// The thread in words.
    var text: String {
        switch self {
        case .other: "a thread"
        case .processor: "a vCPU's thread"
        case .events: "an event loop's thread"
        case .disk: "a disk's thread"
        case .share: "a shared folder's thread"
        case .console: "a console's thread"
        case .translator: "the translator's thread"
        case .clock: "the clock's thread"
        }
    }
}

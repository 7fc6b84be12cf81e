/// The kinds of `aerie_jail_message`.
enum JailMessageKind: UInt32 {
    /// From the machine's process, whose identifier comes with it.
    case hello = 1
    /// Start passt for the card `argument`; the answer has the socket and the messages.
    case startPasst = 2
    /// Connect to the program that serves the port `argument`; the answer has the socket.
    case connect = 3
    /// A thread of role `result` has made the system call `argument`. The kernel's signal handler sends it.
    case forbiddenCall = 4
    /// From the monitor to the first process: go on.
    case go = 5
    /// From the first process: errno value `argument`.
    case failure = 6
    /// From the first process: status `argument` of waitpid(2).
    case ended = 7
}

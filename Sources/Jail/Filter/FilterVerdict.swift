/// What a filter does with a system call (seccomp(2), "Return values").
enum FilterVerdict: Equatable, Sendable {
    case allow
    /// The call fails with this errno value: for calls that a library tries and can do without.
    case refuse(Int32)
    /// The process reports the call and ends.
    case trap
    /// The process ends at once.
    case kill

    /// The value that the filter returns.
    var value: UInt32 {
        switch self {
        case .allow: 0x7FFF_0000
        case .refuse(let code): 0x0005_0000 | UInt32(bitPattern: code)
        case .trap: 0x0003_0000
        case .kill: 0x8000_0000
        }
    }
}

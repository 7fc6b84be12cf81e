extension Terminator {
    /// The addresses that are known.
    package var targets: [UInt64] {
        switch self {
        case .jump(let target): [target]
        // What follows in memory comes first.
        case .branch(_, _, _, let taken, let next), .branchFlag(_, _, let taken, let next): [next, taken]
        case .indirect: []
        }
    }
}

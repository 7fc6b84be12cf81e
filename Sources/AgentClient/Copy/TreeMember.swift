/// A file on its way into a directory of this host, as a guest describes it.
struct TreeMember: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        /// Bytes that have to be written; holes count.
        case file(size: UInt64)
        case directory
        case symbolicLink(target: [UInt8])
        /// A second name of a member of the same copy.
        case hardLink(target: [FileName])
        case fifo
    }

    /// Set-user-id, set-group-id and further bits of a guest's files mean nothing good here.
    private static let allowedMode: UInt32 = 0o777

    /// Where, below the copy's directory. Not empty.
    let components: [FileName]
    let kind: Kind
    let mode: UInt32
    /// The last modification: seconds since 1970, and nanoseconds below a second.
    let modified: (seconds: Int64, fraction: UInt32)

    init(_ components: [FileName], _ kind: Kind, mode: UInt32, modified: (seconds: Int64, fraction: UInt32)) {
        self.components = components
        self.kind = kind
        self.mode = mode & Self.allowedMode
        self.modified = modified
    }

    static func == (one: TreeMember, other: TreeMember) -> Bool {
        one.components == other.components && one.kind == other.kind && one.mode == other.mode
            && one.modified == other.modified
    }
}

/// A file that the guest knows by a number.
struct Node: Sendable {
    /// The file that the number stands for.
    let identity: FileIdentity
    /// The directory where the file was last seen, and its name there; nil for the root and for files without a name.
    var parent: UInt64
    var name: FileName?
    /// How often the guest was told the number and has not forgotten it.
    var lookups: UInt64
    /// Nodes whose parent this one is.
    var children = 0
    /// A descriptor of the file: of directories to find entries in, and of files that have lost their name or are open. A file
    /// without one is found by its name.
    var place: OpenFile?
    /// Whether the descriptor is the only way to the file.
    var isPinned = false
    /// The handles of the file that are open.
    var handles: [UInt64] = []
    /// Whether the node waits in a queue of those whose descriptors may be closed.
    var isQueued = false
    /// Whether the descriptor was used since it was last considered for closing.
    var wasUsed = false
    /// The contents that the guest's cache may have.
    var content: ContentVersion?
}

internal import Glibc

/// The files that the guest knows, and the descriptors that are open for them.
///
/// The guest decides how many files it knows and when it forgets them, so that their number is bounded. Descriptors are few: beyond a
/// bound the one that was not used for long is closed, and its directory is found again by its name.
struct NodeTable: Sendable {
    static let root: UInt64 = 1

    private(set) var nodes: [UInt64: Node] = [:]
    private var identifiers: [FileIdentity: UInt64] = [:]
    private var next: UInt64 = 2
    private let nodeLimit: Int
    private let placeLimit: Int
    private var placeCount = 0
    /// Nodes with a descriptor that may be closed, in the order of opening.
    private var closable = NodeQueue()
    /// Nodes that are lost with their descriptors. They are closed when a guest keeps too many of them.
    private var pinned = NodeQueue()
    /// Descriptors of pinned files that are not needed any more. The last one of a file without a name gives its space back, which takes
    /// time: they are closed outside of locks, by a thread that may wait.
    private var closing: [OpenFile] = []

    init(root: OpenFile, identity: FileIdentity, nodeLimit: Int, placeLimit: Int) {
        self.nodeLimit = nodeLimit
        self.placeLimit = placeLimit
        var node = Node(identity: identity, parent: 0, name: nil, lookups: 1)
        node.place = root
        node.isPinned = true
        nodes[Self.root] = node
        identifiers[identity] = Self.root
    }

    var count: Int { nodes.count }
    var openPlaces: Int { placeCount }

    func node(_ identifier: UInt64) throws(FileError) -> Node {
        guard let node = nodes[identifier] else { throw .stale }
        return node
    }

    func identifier(of identity: FileIdentity) -> UInt64? { identifiers[identity] }

    /// Throws unless the guest may know one more file.
    func checkRoom() throws(FileError) {
        guard nodes.count < nodeLimit else { throw FileError(ENFILE) }
    }

    // MARK: Looking up and forgetting

    /// Counts one more use of the file by the guest.
    ///
    /// - Parameters:
    ///   - name: nil for a file without a name.
    ///   - place: a descriptor of the file, kept if it is a directory or has no name.
    mutating func learn(
        _ status: FileStatus, parent: UInt64, name: FileName?, place: OpenFile? = nil
    ) throws(FileError) -> UInt64 {
        let identity = status.identity
        if let known = identifiers[identity], nodes[known] != nil {
            nodes[known]!.lookups += 1
            if let name, known != Self.root {
                move(known, to: parent, name)
                unpin(known)
            }
            return known
        }
        try checkRoom()
        let identifier = next
        next += 1
        nodes[parent]?.children += 1
        nodes[identifier] = Node(identity: identity, parent: parent, name: name, lookups: 1)
        identifiers[identity] = identifier
        if let place, status.isDirectory || name == nil { keep(place, of: identifier, isPinned: name == nil) }
        return identifier
    }

    /// The file is found by its name again.
    private mutating func unpin(_ identifier: UInt64) {
        guard let node = nodes[identifier], node.isPinned else { return }
        nodes[identifier]!.isPinned = false
        if node.place != nil, node.handles.isEmpty { enqueue(identifier) }
    }

    /// The file has this name now.
    mutating func move(_ identifier: UInt64, to parent: UInt64, _ name: FileName) {
        guard let node = nodes[identifier], identifier != Self.root, node.parent != parent || node.name != name else {
            return
        }
        nodes[identifier]!.name = name
        guard node.parent != parent else { return }
        nodes[parent]?.children += 1
        nodes[identifier]!.parent = parent
        loseChild(node.parent)
    }

    /// The guest forgets `count` uses; more than it has made are taken for all.
    mutating func forget(_ identifier: UInt64, _ count: UInt64) {
        guard identifier != Self.root, nodes[identifier] != nil else { return }
        nodes[identifier]!.lookups -= min(count, nodes[identifier]!.lookups)
        removeUnused(identifier)
    }

    private mutating func loseChild(_ identifier: UInt64) {
        guard nodes[identifier] != nil else { return }
        nodes[identifier]!.children -= 1
        removeUnused(identifier)
    }

    /// Removes a node that nothing refers to, and parents that were kept for it alone.
    private mutating func removeUnused(_ start: UInt64) {
        var identifier = start
        while identifier != Self.root, let node = nodes[identifier], node.lookups == 0, node.children == 0,
            node.handles.isEmpty
        {
            release(identifier)
            nodes[identifier] = nil
            if identifiers[node.identity] == identifier { identifiers[node.identity] = nil }
            guard nodes[node.parent] != nil else { return }
            nodes[node.parent]!.children -= 1
            identifier = node.parent
        }
    }

    // MARK: Restoring

    /// Puts a node of a saved state back under its number, before those that it is the parent of are put back.
    ///
    /// - Parameter identity: nil for a file that is gone, which stays so.
    mutating func restore(
        _ identifier: UInt64, _ identity: FileIdentity?, parent: UInt64, name: FileName?, lookups: UInt64, type: UInt32
    ) {
        next = max(next, identifier + 1)
        let gone = FileIdentity(device: .max, inode: identifier, created: 0, type: type)
        nodes[identifier] = Node(identity: identity ?? gone, parent: parent, name: name, lookups: lookups)
        identifiers[identity ?? gone] = identifier
        nodes[parent]?.children += 1
    }

    // MARK: Descriptors

    /// The descriptor of a file, if it has one.
    mutating func usePlace(_ identifier: UInt64) -> OpenFile? {
        guard let place = nodes[identifier]?.place else { return nil }
        nodes[identifier]!.wasUsed = true
        return place
    }

    /// Keeps a descriptor for a file that has none.
    mutating func keep(_ place: OpenFile, of identifier: UInt64, isPinned: Bool = false) {
        guard let node = nodes[identifier] else { return }
        if isPinned, !node.isPinned {
            nodes[identifier]!.isPinned = true
            pinned.append(identifier, limit: placeLimit) { [nodes] in nodes[$0]?.isPinned == true }
            if pinned.count > placeLimit { closePinned() }
        }
        guard node.place == nil else { return }
        if placeCount >= placeLimit { closeOne() }
        nodes[identifier]!.place = place
        placeCount += 1
        if !isPinned, node.handles.isEmpty { enqueue(identifier) }
    }

    private mutating func enqueue(_ identifier: UInt64) {
        guard nodes[identifier]?.isQueued == false else { return }
        nodes[identifier]!.isQueued = true
        closable.append(identifier, limit: placeLimit) { [nodes] in nodes[$0]?.isQueued == true }
    }

    private mutating func release(_ identifier: UInt64) {
        guard let node = nodes[identifier], let place = node.place else { return }
        if node.isPinned { closing.append(place) }
        nodes[identifier]!.place = nil
        placeCount -= 1
    }

    /// The descriptors to close, whose owner the caller becomes.
    mutating func takeClosing() -> [OpenFile] {
        defer { closing = [] }
        return closing
    }

    func isPinned(_ identifier: UInt64) -> Bool { nodes[identifier]?.isPinned == true }

    private mutating func closeOne() {
        // Each one is looked at twice at most: the first time for its recent use.
        for _ in 0..<2 * closable.count {
            guard let identifier = closable.popFirst() else { return }
            guard let node = nodes[identifier] else { continue }
            nodes[identifier]!.isQueued = false
            guard node.place != nil, !node.isPinned, node.handles.isEmpty else { continue }
            if node.wasUsed {
                nodes[identifier]!.wasUsed = false
                enqueue(identifier)
            } else {
                return release(identifier)
            }
        }
    }

    /// Gives up the file that was pinned first and is not open: the guest's kernel forgets such files at once.
    private mutating func closePinned() {
        for _ in 0..<pinned.count {
            guard let identifier = pinned.popFirst() else { return }
            guard let node = nodes[identifier], node.isPinned else { continue }
            if node.handles.isEmpty, node.place != nil {
                // Without a name, it is not found again.
                nodes[identifier]!.name = nil
                return release(identifier)
            }
            pinned.append(identifier, limit: placeLimit) { [nodes] in nodes[$0]?.isPinned == true }
        }
    }

    // MARK: Open files

    /// A handle's descriptor is the file's as well: the file stays in reach when the host takes its name away.
    mutating func open(_ identifier: UInt64, handle: UInt64, _ file: OpenFile) {
        guard nodes[identifier] != nil else { return }
        nodes[identifier]!.handles.append(handle)
        keep(file, of: identifier)
    }

    /// - Parameter other: the descriptor of another handle that is still open.
    mutating func close(_ identifier: UInt64, handle: UInt64, other: (UInt64) -> OpenFile?) {
        guard let node = nodes[identifier], let index = node.handles.firstIndex(of: handle) else { return }
        nodes[identifier]!.handles.remove(at: index)
        if node.identity.type == UInt32(S_IFDIR) {
            // It may be closed again.
            if node.place != nil, !node.isPinned { enqueue(identifier) }
        } else if let rest = nodes[identifier]!.handles.first {
            nodes[identifier]!.place = other(rest) ?? node.place
        } else if !node.isPinned {
            release(identifier)
        }
        removeUnused(identifier)
    }

    mutating func note(_ content: ContentVersion, of identifier: UInt64) {
        guard nodes[identifier] != nil else { return }
        nodes[identifier]!.content = content
    }

    /// The names from a file up to the nearest directory with a descriptor, the file's own first; and that descriptor.
    func path(to identifier: UInt64) throws(FileError) -> (names: [(UInt64, Node)], from: OpenFile) {
        var names: [(UInt64, Node)] = []
        var current = identifier
        while true {
            let node = try node(current)
            if let place = node.place { return (names, place) }
            // Names that are out of date could go round in a circle.
            guard node.name != nil, names.count < 4096 else { throw .stale }
            names.append((current, node))
            current = node.parent
        }
    }
}

internal import Glibc

/// A file or a directory that the guest has open.
struct Handle: Sendable {
    let node: UInt64
    let file: OpenFile
    /// The flags of the guest's open, for a file.
    let flags: UInt32
    /// Nil for a file.
    let entries: DirectoryEntries?

    var mayWrite: Bool { entries == nil && OpenFlags(raw: flags).mayWrite }
}

/// The handles that the guest has, by the numbers that it knows.
struct HandleTable: Sendable {
    private(set) var handles: [UInt64: Handle] = [:]
    /// Handles of a saved state whose files are gone.
    private var lost: Set<UInt64> = []
    private var next: UInt64 = 1
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Throws unless there is room for one more.
    func checkRoom() throws(FileError) {
        guard handles.count < limit else { throw FileError(EMFILE) }
    }

    mutating func add(_ handle: Handle) -> UInt64 {
        defer { next += 1 }
        handles[next] = handle
        return next
    }

    /// A handle of a file.
    func file(_ number: UInt64) throws(FileError) -> Handle {
        guard let handle = handles[number], handle.entries == nil else { throw missing(number) }
        return handle
    }

    func directory(_ number: UInt64) throws(FileError) -> (handle: Handle, entries: DirectoryEntries) {
        guard let handle = handles[number], let entries = handle.entries else { throw missing(number) }
        return (handle, entries)
    }

    private func missing(_ number: UInt64) -> FileError { lost.contains(number) ? .stale : FileError(EBADF) }

    mutating func remove(_ number: UInt64) -> Handle? {
        lost.remove(number)
        return handles.removeValue(forKey: number)
    }

    /// Puts a handle of a saved state back under its number; nil for one whose file is gone.
    mutating func restore(_ handle: Handle?, as number: UInt64) {
        next = max(next, number + 1)
        handles[number] = handle
        if handle == nil { lost.insert(number) }
    }
}

internal import CFileSystem
internal import Glibc
internal import Synchronization

/// An entry as the host lists it.
struct DirectoryEntry {
    let inode: UInt64
    /// Where the next entry is.
    let next: Int64
    /// As in getdents64(2).
    let type: UInt8
    let name: ArraySlice<UInt8>
}

/// The entries of an open directory, read in order or from an offset that an earlier entry has named.
///
///     offset  size  struct linux_dirent64
///          0     8  number of the file     8  8  offset of the next entry
///         16     2  length of the entry   18  1  type    19 ...  name, with a NUL at its end
final class DirectoryEntries: Sendable {
    private static let chunk = 32 << 10

    private struct State {
        var bytes: ArraySlice<UInt8> = []
        /// The offset of the first entry in `bytes`.
        var position: Int64 = 0
        /// Whether the descriptor's position is behind `bytes`.
        var isAligned = true
    }

    private let file: OpenFile
    private let state = Mutex(State())

    init(_ file: OpenFile) { self.file = file }

    /// Passes entries from `offset` on to `body`, until it returns false for one that it does not take.
    func read(from offset: Int64, _ body: (DirectoryEntry) throws(FileError) -> Bool) throws(FileError) {
        // The guest's kernel reads a directory from one place at a time; others wait here.
        try state.withLock { state throws(FileError) in
            if state.position != offset || !state.isAligned {
                state = State()
                _ = try host { aerie_fs_seek_entries(file.number, offset) }
                state.position = offset
            }
            while true {
                if state.bytes.isEmpty {
                    state.bytes = try nextChunk()[...]
                    if state.bytes.isEmpty { return }
                }
                guard let (entry, length) = Self.entry(state.bytes) else { throw FileError(EIO) }
                guard try body(entry) else { return }
                state.bytes = state.bytes.dropFirst(length)
                state.position = entry.next
            }
        }
    }

    private func nextChunk() throws(FileError) -> [UInt8] {
        var count: Int64 = 0
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.chunk) { buffer, initialized in
            do throws(FileError) {
                count = try host { aerie_fs_read_entries(file.number, buffer.baseAddress, Self.chunk) }
            } catch {
                failure = error
            }
            initialized = Int(max(count, 0))
        }
        if let failure { throw failure }
        return bytes
    }

    private static func entry(_ bytes: ArraySlice<UInt8>) -> (DirectoryEntry, length: Int)? {
        bytes.withUnsafeBytes { raw in
            guard raw.count > 19 else { return nil }
            let length = Int(raw.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
            guard length > 19, length <= raw.count else { return nil }
            let name = bytes.dropFirst(19).prefix(length - 19).prefix { $0 != 0 }
            let entry = DirectoryEntry(
                inode: raw.loadUnaligned(as: UInt64.self), next: raw.loadUnaligned(fromByteOffset: 8, as: Int64.self),
                type: raw[18], name: name)
            return (entry, length)
        }
    }
}

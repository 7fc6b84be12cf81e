internal import Glibc
internal import HostSystem

/// The host's storage that a snapshot has.
package struct SnapshotUsage: Equatable, Sendable {
    /// Bytes of the files that no other snapshot has: the removal of the snapshot frees them, unless a machine needs them.
    package let own: UInt64
    /// Bytes of the files that other snapshots have, too.
    package let shared: UInt64

    /// A file, whatever its names.
    private struct Inode: Hashable {
        let device: UInt64
        let node: UInt64
    }

    /// The usage of each of all snapshots.
    package static func of(_ all: [Snapshot]) -> [SnapshotUsage] {
        let files = all.map { Self.files(in: $0.directory) }
        var owners: [Inode: Int] = [:]
        for inode in files.joined().map(\.key) { owners[inode, default: 0] += 1 }
        return files.map { files in
            let shared = files.filter { owners[$0.key]! > 1 }.values.reduce(0, +)
            return SnapshotUsage(own: files.values.reduce(0, +) - shared, shared: shared)
        }
    }

    /// The files of a directory with their allocated bytes.
    private static func files(in directory: String) -> [Inode: UInt64] {
        var result: [Inode: UInt64] = [:]
        for name in directoryNames(directory) {
            var status = stat()
            guard lstat("\(directory)/\(name)", &status) == 0 else { continue }
            // st_blocks counts units of 512 bytes.
            result[Inode(device: UInt64(status.st_dev), node: UInt64(status.st_ino))] = UInt64(status.st_blocks) * 512
        }
        return result
    }
}

internal import CFileSystem

/// A file system of the host.
enum Volume {
    /// Magic numbers (statfs(2)) of file systems whose cached files are reached without asking anybody: ext2 to ext4, XFS, Btrfs, tmpfs,
    /// ramfs, F2FS, ZFS, bcachefs, and overlays, which in practice lie on these.
    private static let local: Set<UInt64> = [
        0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x8584_58F6, 0xF2F5_2010, 0x2FC1_2FC1, 0xCA45_1A4E, 0x794C_7630,
    ]

    static func status(_ file: OpenFile) throws(FileError) -> aerie_volume_status {
        var status = aerie_volume_status()
        _ = try host { aerie_fs_volume(file.number, &status) }
        return status
    }

    static func isLocal(_ file: OpenFile) -> Bool { (try? status(file)).map { local.contains($0.kind) } ?? false }
}

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

    /// The same of file systems without files of their own, whose contents are the kernel's and its processes': proc, sysfs, tracefs, debugfs,
    /// securityfs, cgroup 1 and 2, configfs, binfmt_misc, bpf, efivarfs, pstore, selinuxfs.
    private static let pseudo: Set<UInt64> = [
        0x9FA0, 0x6265_6572, 0x7472_6163, 0x6462_6720, 0x7363_6673, 0x0027_E0EB, 0x6367_7270, 0x6265_6570, 0x4249_4E4D,
        0xCAFE_4A11, 0xDE5E_81E4, 0x6165_676C, 0xF97C_FF8C,
    ]

    /// One that cannot be asked counts as well.
    static func isPseudo(_ file: OpenFile) -> Bool { (try? status(file)).map { pseudo.contains($0.kind) } ?? true }

    static func isLocal(_ file: OpenFile) -> Bool { (try? status(file)).map { local.contains($0.kind) } ?? false }
}

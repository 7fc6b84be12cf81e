import TextTables

/// The costs of copies of a guest.
struct SnapshotsReport: Report {
    struct Migration: Encodable {
        let seconds: Double
        /// Milliseconds in which the guest ran nowhere.
        let downtime: Double
        /// 10^6 bytes that were sent.
        let megabytes: Double
    }

    /// Seconds of `aerie run IMAGE true` from the image's snapshot.
    var instantStart = 0.0
    /// Milliseconds in which the parent of a fork stands still.
    var forkPause = 0.0
    /// Seconds from the call of `fork` to the first command's end in the copy.
    var forkToExec = 0.0
    /// How many copies were made at once, and seconds until all had run a command.
    var forkCount = 0
    var manyForks = 0.0
    /// MiB of memory that an idle copy shares with nobody.
    var copyMemory = 0.0
    /// Seconds of `snapshot create`, and milliseconds in which the guest stands still.
    var snapshotCreate = 0.0
    var snapshotPause = 0.0
    /// Seconds from the call of `restore` until the guest runs, until it is somebody else and the command ends, and until the first command's end.
    var restoreToRunning = 0.0
    var restore = 0.0
    var restoreToExec = 0.0
    /// To another process of this host, of an idle guest and of one that writes 200 MB a second.
    var idleMigration = Migration(seconds: 0, downtime: 0, megabytes: 0)
    var busyMigration = Migration(seconds: 0, downtime: 0, megabytes: 0)
    /// Of the guest that writes, by post-copy after the first pass.
    var postCopyMigration = Migration(seconds: 0, downtime: 0, megabytes: 0)
    /// Of an idle guest, by QEMU; nil without QEMU.
    var qemuMigration: Migration?

    func text() -> String {
        var rows = [
            ["run IMAGE true, from the image's snapshot", Self.seconds(instantStart)],
            ["fork: pause of the parent", Self.milliseconds(forkPause)],
            ["fork to the first exec's answer", Self.seconds(forkToExec)],
            ["\(forkCount) forks, all answering", Self.seconds(manyForks)],
            ["private memory of an idle copy", "\(Self.rounded(copyMemory)) MiB"],
            ["snapshot create", Self.seconds(snapshotCreate)],
            ["snapshot create: pause", Self.milliseconds(snapshotPause)],
            ["restore: until the guest runs", Self.seconds(restoreToRunning)],
            ["restore: whole command", Self.seconds(restore)],
            ["restore to the first exec's answer", Self.seconds(restoreToExec)],
        ]
        rows += Self.rows("migration, idle", idleMigration)
        rows += Self.rows("migration, 200 MB/s written", busyMigration)
        rows += Self.rows("migration by post-copy, 200 MB/s written", postCopyMigration)
        if let qemuMigration {
            rows += Self.rows("QEMU: migration, idle", qemuMigration)
            let ratio = idleMigration.downtime / qemuMigration.downtime
            rows.append(["downtime, times QEMU's", Self.rounded(ratio)])
        }
        return TextTable(titles: ["MEASURE", "VALUE"], rows: rows).text
    }

    private static func rows(_ name: String, _ migration: Migration) -> [[String]] {
        [
            ["\(name): whole command", seconds(migration.seconds)],
            ["\(name): downtime", milliseconds(migration.downtime)],
            ["\(name): sent", "\(rounded(migration.megabytes)) MB"],
        ]
    }

    private static func seconds(_ value: Double) -> String { "\((value * 1000).rounded() / 1000) s" }
    private static func milliseconds(_ value: Double) -> String { "\(rounded(value)) ms" }
    private static func rounded(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

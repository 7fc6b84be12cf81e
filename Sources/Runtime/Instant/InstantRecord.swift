internal import ControlAPI

/// The description of an image's snapshot: `instant.json` in the snapshot's directory.
package struct InstantRecord: Codable, Equatable, Sendable {
    /// The form of the file; readers refuse another.
    static let currentVersion = 1

    var version = InstantRecord.currentVersion
    package var key: InstantKey
    /// Of the memory's file, when its checksums were last known to be right.
    var memory: SnapshotRecord.Stamp
    /// Of the file with generated code, if there is one. It was right in the same run of the host's kernel.
    var code: SnapshotRecord.Stamp?
    /// The run of the host's kernel in which they were. Nothing here is written to the storage before it is used, so that a crash of the host
    /// may have damaged it.
    var hostBoot: String
    /// Whether the image has programs in `/etc/aerie/forked.d`.
    package var hasHooks: Bool
    /// Whether the image has an `/etc/machine-id`.
    package var hasMachineID: Bool
}

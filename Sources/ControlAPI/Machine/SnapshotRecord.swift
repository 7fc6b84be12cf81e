/// The description of a snapshot: `snapshot.json` in the snapshot's directory.
package struct SnapshotRecord: Codable, Equatable, Sendable {
    /// How a file is known again that has not changed since its checksums were right.
    package struct Stamp: Codable, Equatable, Sendable {
        /// Bytes.
        package var size: UInt64
        /// The time of the last change, in nanoseconds since 1970.
        package var modified: Int64
        package var device: UInt64
        package var node: UInt64

        package init(size: UInt64, modified: Int64, device: UInt64, node: UInt64) {
            self.size = size
            self.modified = modified
            self.device = device
            self.node = node
        }
    }

    /// The form of the file; readers refuse another.
    package static let currentVersion = 1

    package var version = SnapshotRecord.currentVersion
    /// 12 hexadecimal digits.
    package var id: String
    package var name: String
    /// Nanoseconds since 1970.
    package var created: UInt64
    /// The machine as it was.
    package var machine: MachineRecord
    /// Of the memory's file; nil for a snapshot of a machine that did not run: its disks.
    package var memory: Stamp?

    package var hasState: Bool { memory != nil }

    package init(id: String, name: String, created: UInt64, machine: MachineRecord) {
        self.id = id
        self.name = name
        self.created = created
        self.machine = machine
    }
}

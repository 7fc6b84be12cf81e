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

    /// A file with a part of the memory that was made for an earlier snapshot. It is `memory.N` in the snapshot's directory; N begins with 1.
    package struct Layer: Codable, Equatable, Sendable {
        /// Of the earlier snapshot, which may be there no more.
        package var id: String
        package var name: String
        package var stamp: Stamp

        package init(id: String, name: String, stamp: Stamp) {
            self.id = id
            self.name = name
            self.stamp = stamp
        }
    }

    /// The forms of the file; readers refuse others. The second one has layers, which older programs do not know.
    package static let versions = 1...2
    /// The form of the record in an exported snapshot, which has no layers.
    package static let portableVersion = 1
    /// The most earlier snapshots in `descent`.
    package static let longestDescent = 16

    package private(set) var version = 1
    /// 12 hexadecimal digits.
    package var id: String
    package var name: String
    /// Nanoseconds since 1970.
    package var created: UInt64
    /// The machine as it was.
    package var machine: MachineRecord
    /// Of the memory's file; nil for a snapshot of a machine that did not run: its disks.
    package var memory: Stamp?
    /// Of the file with generated code, if there is one.
    package var code: Stamp?
    /// The IDs of earlier snapshots, the nearest first: the one that the machine was last saved as or restored from, and those before it. They
    /// may be there no more.
    package var descent: [String]?
    /// The files with the part of the memory that `memory` has not; nil when it has all.
    package var layers: [Layer]? { didSet { version = layers == nil ? 1 : 2 } }

    package var hasState: Bool { memory != nil }

    package init(id: String, name: String, created: UInt64, machine: MachineRecord) {
        self.id = id
        self.name = name
        self.created = created
        self.machine = machine
    }
}

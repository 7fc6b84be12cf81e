internal import Aerie
internal import ControlAPI
internal import Foundation
internal import Runtime

/// A snapshot as `aerie snapshot ls` shows it.
struct SnapshotListing: Encodable {
    let id: String
    let name: String
    let machine: String
    let image: String?
    let created: Date
    /// Whether the guest goes on where it was; otherwise it boots.
    let hasState: Bool
    /// Bytes of the guest's memory.
    let memory: UInt64
    /// Bytes of the host's storage.
    let size: UInt64

    init(_ snapshot: Snapshot) {
        let record = snapshot.record
        id = record.id
        name = record.name
        machine = record.machine.name
        image = record.machine.image?.reference
        created = Date(timeIntervalSince1970: Double(record.created) / 1e9)
        hasState = record.hasState
        memory = record.machine.configuration.memory.bytes
        size = snapshot.allocatedSize
    }
}

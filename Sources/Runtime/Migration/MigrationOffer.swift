package import ControlAPI

/// What the sender of a machine says of it before anything else.
package struct MigrationOffer: Codable, Sendable {
    /// A file of the machine's directory.
    package struct File: Codable, Sendable {
        package var name: String

        package init(name: String) { self.name = name }
    }

    package static let currentVersion = 1

    package var version = MigrationOffer.currentVersion
    package var machine: MachineRecord
    /// Bytes of the memory.
    package var memory: UInt64
    /// The machine's disks, which are numbered from `TransferredFile.disks` on.
    package var disks: [File]

    package init(machine: MachineRecord, memory: UInt64, disks: [File]) {
        self.machine = machine
        self.memory = memory
        self.disks = disks
    }
}

/// The sizes of the offered disks at the end of the transfer, in bytes.
struct MigrationSizes: Codable {
    var disks: [UInt64]
}

/// What became of the machine at the receiver.
struct MigrationOutcome: Codable {
    /// The machine's name there.
    var name: String?
}

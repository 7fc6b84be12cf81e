package import ControlAPI

/// What the sender of a machine says of it before anything else.
package struct MigrationOffer: Codable, Sendable {
    /// A file of the machine's directory.
    package struct File: Codable, Sendable {
        package var name: String
        /// The time of the last change, in nanoseconds since 1970, of a disk below the machine's own: the disk above names it. Nil for others.
        package var modified: Int64?

        package init(name: String, modified: Int64? = nil) {
            self.name = name
            self.modified = modified
        }
    }

    package static let currentVersion = 1

    package var version = MigrationOffer.currentVersion
    package var machine: MachineRecord
    /// Bytes of the memory.
    package var memory: UInt64
    /// The machine's disks, which are numbered from `TransferredFile.disks` on.
    package var disks: [File]
    /// The transfer's name (`TransferLedger`), by which the sender asks what has become of the machine; nil for a sender that does not ask.
    package var transfer: String?
    /// Whether the guest may go on before its memory is there; nil for no.
    package var postCopy: Bool?
    /// The machine's files that are not in its directory, by the paths that the record has; nil for none. Those that the answer wants are
    /// numbered after `disks`.
    package var outside: [OutsideFile]?

    package init(
        machine: MachineRecord, memory: UInt64, disks: [File], transfer: String? = nil, postCopy: Bool? = nil,
        outside: [OutsideFile]? = nil
    ) {
        self.machine = machine
        self.memory = memory
        self.disks = disks
        self.transfer = transfer
        self.postCopy = postCopy
        self.outside = outside
    }
}

/// What the receiver says to an offer that it takes.
struct MigrationAnswer: Codable {
    /// The identity of its directory of machines; nil for a receiver that answers no questions.
    var directory: String?
    /// Why the guest cannot go on before its memory is there; nil when it can.
    var postCopyRefusal: String?
    var postCopy: Bool?
    /// Where each of the files outside of the machine's directory is; nil for none, and of a receiver that does not know of them.
    var outside: [OutsideFile.Place]?
}

/// The question what has become of a machine.
struct MigrationQuestion: Codable {
    var transfer: String
    var directory: String
}

/// The sizes of the offered disks at the end of the transfer, in bytes.
struct MigrationSizes: Codable {
    var disks: [UInt64]
}

/// What became of the machine at the receiver.
struct MigrationOutcome: Codable {
    /// The machine's name there.
    var name: String?
    /// It has run there, and has ended because a part of its memory did not come; nil for no.
    var isLost: Bool?
    /// The receiver does not know yet; nil for no.
    var isUndecided: Bool?
}

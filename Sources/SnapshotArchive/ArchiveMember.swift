/// A part of a snapshot in an archive, in the order of the archive. A snapshot need not have all of them.
package enum ArchiveMember: UInt32, CaseIterable, Sendable {
    /// The snapshot's record, as JSON.
    case record = 1
    /// vCPUs, devices, and the checksums of the memory.
    case state = 2
    case memory = 3
    /// The contents of the machine's disk, whatever files they were in.
    case disk = 4
    case kernel = 5
    case initrd = 6
    case firmware = 7

    /// The most bytes of a member's contents. The reader refuses more before it stores anything.
    package var limit: UInt64 {
        switch self {
        case .record: 4 << 20
        case .state: 64 << 30
        case .memory: 1 << 40
        case .disk: 64 << 40
        case .kernel, .initrd, .firmware: 4 << 30
        }
    }
}

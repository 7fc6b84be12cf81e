/// The guest's figures about its memory (VIRTIO 1.2, section 5.5.6.3). Nil stands for a figure that the driver does not report.
package struct BalloonStatistics: Equatable, Sendable {
    /// Bytes that were read from and written to swap space since the guest's start.
    package var swapIn: UInt64?
    package var swapOut: UInt64?
    /// Page faults since the guest's start.
    package var majorFaults: UInt64?
    package var minorFaults: UInt64?
    /// Bytes without use, bytes in all, and bytes that programs could have without swapping.
    package var free: UInt64?
    package var total: UInt64?
    package var available: UInt64?
    /// Bytes of files that could be dropped.
    package var caches: UInt64?
    /// Processes that were ended for want of memory.
    package var outOfMemoryKills: UInt64?

    private static let entrySize = 10
    /// The most entries that are read; there are 16 tags today.
    private static let mostEntries = 64
    /// The most bytes that are read.
    static let longest = entrySize * mostEntries

    /// Reads entries of a 16-bit tag and a 64-bit value, without padding between them. Unknown tags are skipped.
    init(_ bytes: [UInt8]) {
        for start in stride(from: 0, through: bytes.count - Self.entrySize, by: Self.entrySize) {
            let tag = UInt16(bytes[start]) | UInt16(bytes[start + 1]) << 8
            let value = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + 2 + $1]) << UInt64(8 * $1) }
            switch tag {
            case 0: swapIn = value
            case 1: swapOut = value
            case 2: majorFaults = value
            case 3: minorFaults = value
            case 4: free = value
            case 5: total = value
            case 6: available = value
            case 7: caches = value
            case 10: outOfMemoryKills = value
            default: break
            }
        }
    }
}

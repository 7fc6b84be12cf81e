internal import SavedState

/// The registers from which a legacy driver's queues get their layout (VIRTIO 1.2, sections 2.7.2 and 4.2.4).
///
///     descriptor table   at the page number × the page size
///     available ring     behind it
///     used ring          at the next multiple of the alignment
struct LegacyQueueRegisters: Equatable {
    /// The alignment of a queue whose driver does not set any, as QEMU has it.
    static let defaultAlignment: UInt32 = 4096

    /// GuestPageSize in bytes, a power of two; 0 until the driver sets it.
    var pageSize: UInt32 = 0
    /// QueueAlign of each queue in bytes, a power of two.
    var alignments: [UInt32]

    init(queueCount: Int) {
        alignments = Array(repeating: Self.defaultAlignment, count: queueCount)
    }

    /// A value that is not a power of two leaves a register as it was.
    static func isValid(_ value: UInt32) -> Bool { value != 0 && value & (value - 1) == 0 }

    /// The layout of queue `index` of `size` entries at a page number.
    func layout(_ index: Int, size: UInt16, pageNumber: UInt32) -> VirtQueueLayout {
        var layout = VirtQueueLayout()
        layout.size = size
        // Neither sum nor product overflows: the factors have 32 bits, and the rings less than a megabyte.
        layout.descriptors = UInt64(pageNumber) * UInt64(pageSize)
        layout.available = layout.descriptors &+ 16 * UInt64(size)
        let end = layout.available &+ 6 + 2 * UInt64(size)
        let mask = UInt64(alignments[index]) - 1
        layout.used = (end &+ mask) & ~mask
        return layout
    }

    func save(into record: inout SavedRecord) {
        record.set("guestPageSize", pageSize)
        record.set("queueAlignments", alignments.map(UInt64.init))
    }

    init(_ record: SavedRecord, queueCount: Int) throws(SavedStateError) {
        pageSize = try record.integer("guestPageSize")
        alignments = try record.integers("queueAlignments", count: queueCount).map(UInt32.init(truncatingIfNeeded:))
        guard pageSize == 0 || Self.isValid(pageSize), alignments.allSatisfy(Self.isValid) else {
            throw .badField(kind: record.kind, field: "queueAlignments")
        }
    }
}

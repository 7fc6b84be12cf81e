/// Feature bits of a memory balloon (VIRTIO 1.2, section 5.5.3).
enum BalloonFeature {
    /// The driver reports statistics of the guest's memory.
    static let statistics: UInt64 = 1 << 1
    /// The driver may take pages out of the balloon rather than end a process for want of memory.
    static let deflateOnOutOfMemory: UInt64 = 1 << 2
    /// The driver says with which value it fills free pages.
    static let pagePoison: UInt64 = 1 << 4
    /// The driver reports free pages, whose contents it does not need.
    static let pageReporting: UInt64 = 1 << 5

    /// Not offered: MUST_TELL_HOST, because a page that leaves the balloon is there at the next access; and free page hints, which serve a
    /// migration.
    static let offered = statistics | deflateOnOutOfMemory | pagePoison | pageReporting
}

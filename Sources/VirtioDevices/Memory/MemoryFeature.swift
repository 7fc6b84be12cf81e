/// Feature bits of a memory device (VIRTIO 1.3, section 5.15.3).
enum MemoryFeature {
    /// The driver does not access unplugged blocks. The device serves drivers without it, too: their reads find zeroes.
    static let unpluggedInaccessible: UInt64 = 1 << 1
    /// Plugged blocks keep their contents while the guest is suspended. Without it Linux refuses to suspend.
    static let persistentSuspend: UInt64 = 1 << 2

    /// Not offered: ACPI_PXM, because the boards have one NUMA node.
    static let offered = unpluggedInaccessible | persistentSuspend
}

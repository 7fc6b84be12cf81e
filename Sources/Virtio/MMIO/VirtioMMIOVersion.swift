/// The two sets of registers of virtio-mmio; the raw value is that of the register Version.
package enum VirtioMMIOVersion: UInt64, Sendable {
    /// Version 1 (VIRTIO 1.2, section 4.2.4), which kernels from before 2015 and many teaching kernels are written to.
    case legacy = 1
    /// Version 2 (section 4.2.2).
    case modern = 2
}

/// Feature bits that belong to the transport and the queues (VIRTIO 1.2, section 6). Devices have bits 0 to 23 of their own.
package enum VirtioFeatures {
    /// Of the legacy interface: requests may be cut into buffers anywhere.
    package static let anyLayout: UInt64 = 1 << 27
    package static let indirectDescriptors: UInt64 = 1 << 28
    package static let eventIndex: UInt64 = 1 << 29
    package static let version1: UInt64 = 1 << 32
    package static let ringReset: UInt64 = 1 << 40

    /// Bits that every transport offers besides the device's own bits.
    package static let common = indirectDescriptors | eventIndex | version1 | ringReset
    /// The same for the legacy interface, whose features are 32 bits.
    package static let legacyCommon = anyLayout | indirectDescriptors | eventIndex
    static let legacyMask: UInt64 = 0xFFFF_FFFF
}

/// Bits of the device status field (VIRTIO 1.2, section 2.1).
package enum VirtioStatus {
    package static let acknowledge: UInt8 = 1
    package static let driver: UInt8 = 2
    package static let driverOK: UInt8 = 4
    package static let featuresOK: UInt8 = 8
    package static let needsReset: UInt8 = 64
    package static let failed: UInt8 = 128

    /// The bits that a driver may set.
    static let driverBits = acknowledge | driver | driverOK | featuresOK | failed

    /// The status after the driver writes `written` over `status`; a write of 0, which resets, does not come here.
    ///
    /// The order of section 3.1.1 binds the driver and asks nothing of the device: real drivers skip ACKNOWLEDGE, and
    /// those of the legacy interface FEATURES_OK. The device refuses FEATURES_OK alone, for features that it did not offer
    /// (section 2.2.2), and DRIVER_OK after FAILED. Bits are never cleared.
    static func advanced(_ status: UInt8, writing written: UInt8, featuresAcceptable: Bool) -> UInt8 {
        var accepted = written & driverBits
        if !featuresAcceptable { accepted &= ~featuresOK }
        if (status | written) & failed != 0 { accepted &= ~driverOK }
        return status | accepted
    }
}

/// Feature bits that belong to the transport and the queues (VIRTIO 1.2, section 6). Devices have bits 0 to 23 of their own.
package enum VirtioFeatures {
    package static let indirectDescriptors: UInt64 = 1 << 28
    package static let eventIndex: UInt64 = 1 << 29
    package static let version1: UInt64 = 1 << 32
    package static let ringReset: UInt64 = 1 << 40

    /// What every transport of ours offers besides the device's own bits.
    package static let common = indirectDescriptors | eventIndex | version1 | ringReset
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

    /// What the status becomes when the driver writes `written` over `status`, besides 0, which resets.
    ///
    /// Bits are never cleared, and one whose predecessors in the order of section 3.1.1 are missing is not set: a driver
    /// that does things in the wrong order reads back that they did not happen.
    static func advanced(_ status: UInt8, writing written: UInt8, featuresAcceptable: Bool) -> UInt8 {
        var result = status | written & (acknowledge | failed)
        if written & driver != 0, result & acknowledge != 0 { result |= driver }
        if written & featuresOK != 0, result & driver != 0, featuresAcceptable { result |= featuresOK }
        if written & driverOK != 0, result & featuresOK != 0, result & failed == 0 { result |= driverOK }
        return result
    }
}

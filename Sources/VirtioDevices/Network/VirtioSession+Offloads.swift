internal import HostNetwork
internal import Virtio

extension VirtioSession {
    private static let ecn: UInt8 = 0x80

    func allows(sending segmentation: UInt8) -> Bool {
        allows(segmentation, NetworkFeature.hostTSO4, NetworkFeature.hostTSO6, NetworkFeature.hostECN)
    }

    func allows(receiving segmentation: UInt8) -> Bool {
        allows(segmentation, NetworkFeature.guestTSO4, NetworkFeature.guestTSO6, NetworkFeature.guestECN)
    }

    /// Whether a header's segmentation is one of those that were negotiated (section 5.1.6.2).
    private func allows(_ segmentation: UInt8, _ version4: UInt64, _ version6: UInt64, _ ecn: UInt64) -> Bool {
        guard segmentation & Self.ecn == 0 || has(ecn) else { return false }
        switch segmentation & ~Self.ecn {
        case 0: return segmentation == 0
        case 1: return has(version4)
        case 4: return has(version6)
        default: return false
        }
    }

    /// The offloads of frames to the guest that the driver accepts.
    var offloads: ReceiveOffloads {
        var result: ReceiveOffloads = []
        if has(NetworkFeature.guestChecksum) { result.insert(.partialChecksums) }
        if has(NetworkFeature.guestTSO4) { result.insert(.segmentsIPv4) }
        if has(NetworkFeature.guestTSO6) { result.insert(.segmentsIPv6) }
        if has(NetworkFeature.guestECN) { result.insert(.segmentsWithECN) }
        return result
    }
}

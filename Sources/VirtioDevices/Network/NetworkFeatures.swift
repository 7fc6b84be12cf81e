/// The feature bits of a network card (VIRTIO 1.2, section 5.1.3).
enum NetworkFeature {
    static let checksum: UInt64 = 1 << 0
    static let guestChecksum: UInt64 = 1 << 1
    static let mtu: UInt64 = 1 << 3
    static let macAddress: UInt64 = 1 << 5
    static let guestTSO4: UInt64 = 1 << 7
    static let guestTSO6: UInt64 = 1 << 8
    static let guestECN: UInt64 = 1 << 9
    static let hostTSO4: UInt64 = 1 << 11
    static let hostTSO6: UInt64 = 1 << 12
    static let hostECN: UInt64 = 1 << 13
    static let mergedBuffers: UInt64 = 1 << 15
    static let status: UInt64 = 1 << 16
    static let controlQueue: UInt64 = 1 << 17
    static let receiveModes: UInt64 = 1 << 18
    static let extraReceiveModes: UInt64 = 1 << 20
    static let announcement: UInt64 = 1 << 21
    static let multiQueue: UInt64 = 1 << 22
    static let macAddressCommand: UInt64 = 1 << 23

    /// Those that do not depend on the backend.
    static let always =
        checksum | guestChecksum | mtu | macAddress | mergedBuffers | status | controlQueue | receiveModes
        | extraReceiveModes | announcement | macAddressCommand
    /// Those of a backend that takes and returns long TCP segments.
    static let segmentation = guestTSO4 | guestTSO6 | guestECN | hostTSO4 | hostTSO6 | hostECN
}

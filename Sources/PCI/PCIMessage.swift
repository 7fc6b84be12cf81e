internal import Machine

/// A function's MSI capability with one message (PCI Local Bus 3.0, section 6.8.1). Offsets from its start:
///
///     02 message control: bit 0 enables it, bit 7: 64-bit address     04 address     0C data, 16 bits
struct PCIMessage {
    private static let identifier: UInt8 = 0x05

    private let configuration: PCIConfiguration
    private let offset: Int

    /// Adds the capability.
    init(addedTo configuration: PCIConfiguration) {
        self.configuration = configuration
        let address = [UInt8](repeating: 0xFF, count: 8)
        offset = configuration.addCapability(
            Self.identifier, [0x80, 0] + [UInt8](repeating: 0, count: 10),
            writable: [0x01, 0, 0xFC] + address.dropFirst() + [0xFF, 0xFF])
    }

    var isEnabled: Bool { configuration.read(at: offset + 2, size: 1) & 1 != 0 }

    var message: InterruptMessage {
        InterruptMessage(
            address: configuration.read(at: offset + 4, size: 8),
            data: UInt32(configuration.read(at: offset + 12, size: 2)))
    }
}

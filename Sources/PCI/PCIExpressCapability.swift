/// The PCI Express capability (PCI Express Base 6.0, section 7.5.3), version 2. Offsets from its start:
///
///     00 identifier, next       0C link capabilities       18 slot control, status
///     02 capabilities           10 link control, status    1C root control, capabilities
///     04 device capabilities    14 slot capabilities       20 root status
///     08 device control, status                            24 the second registers of device, link and slot
enum PCIExpressCapability {
    static let identifier: UInt8 = 0x10
    static let linkControl = 0x10
    static let linkStatus = 0x12
    static let slotControl = 0x18
    static let slotStatus = 0x1A
    private static let size = 0x3C

    /// Link status: 2.5 GT/s, one lane.
    static let trainedLink: UInt16 = 0x11
    static let linkActive: UInt16 = 1 << 13

    enum Kind {
        case endpoint
        /// With a slot of this number.
        case rootPort(slot: Int)
    }

    /// Adds the capability; returns its offset.
    static func add(_ kind: Kind, to configuration: PCIConfiguration) -> Int {
        var bytes = [UInt8](repeating: 0, count: size)
        var masks = bytes
        func put(_ value: UInt32, _ count: Int, at offset: Int, in bytes: inout [UInt8]) {
            for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
        }
        let version: UInt32 = 2
        // Role-based error reporting, which every function has since version 1.1.
        put(1 << 15, 4, at: 0x04, in: &bytes)
        put(0x7FFF, 2, at: 0x08, in: &masks)
        put(UInt32(trainedLink), 4, at: 0x0C, in: &bytes)
        put(UInt32(trainedLink), 2, at: linkStatus, in: &bytes)
        // The speeds of the link; the target speed.
        put(1 << 1, 4, at: 0x2C, in: &bytes)
        put(1, 2, at: 0x30, in: &bytes)
        switch kind {
        case .endpoint:
            put(version, 2, at: 0x02, in: &bytes)
            put(0x00CB, 2, at: linkControl, in: &masks)
        case .rootPort(let slot):
            let (type, hasSlot): (UInt32, UInt32) = (4, 1)
            put(version | type << 4 | hasSlot << 8, 2, at: 0x02, in: &bytes)
            let reportsLink: UInt32 = 1 << 20
            put(UInt32(trainedLink) | reportsLink | UInt32(slot) << 24, 4, at: 0x0C, in: &bytes)
            put(0x00DB, 2, at: linkControl, in: &masks)
            put(PCISlotRegisters.capabilities | UInt32(slot) << 19, 4, at: 0x14, in: &bytes)
            put(UInt32(PCISlotRegisters.Control.writable), 2, at: slotControl, in: &masks)
            put(0x001F, 2, at: 0x1C, in: &masks)
        }
        return configuration.addCapability(identifier, Array(bytes[2...]), writable: Array(masks[2...]))
    }
}

extension PCIConfiguration {
    /// Adds the capability that a function behind a root port has.
    package func addExpressEndpoint() { _ = PCIExpressCapability.add(.endpoint, to: self) }
}

/// INFORMATION: what the agent knows of its guest. Texts come from the guest: escape control characters before a
/// terminal gets them.
package struct GuestInformation: Equatable {
    /// The agent's own version, as `aerie --version` prints it.
    package var agentVersion: [UInt8] = []
    package var kernelRelease: [UInt8] = []
    package var hostname: [UInt8] = []
    /// 16 bytes; another at each boot.
    package var bootID: [UInt8] = []
    /// Nanoseconds.
    package var uptime: UInt64 = 0
    /// Bytes.
    package var memoryTotal: UInt64 = 0
    /// Bytes that programs can get without swapping.
    package var memoryAvailable: UInt64 = 0
    /// `INTERFACE ADDRESS/PREFIX` each, without the loopback's.
    package var addresses: [[UInt8]] = []
    /// ID and VERSION_ID of /etc/os-release; empty where absent.
    package var systemID: [UInt8] = []
    package var systemVersion: [UInt8] = []
    /// How many processes the kernel has killed for want of memory since the boot.
    package var outOfMemoryKills: UInt64 = 0

    /// The most addresses.
    package static let mostAddresses = 256
    private static let longestText = 256

    package init() {}

    private enum Tag {
        static let agentVersion: UInt16 = 1
        static let kernelRelease: UInt16 = 2
        static let hostname: UInt16 = 3
        static let bootID: UInt16 = 4
        static let uptime: UInt16 = 5
        static let memoryTotal: UInt16 = 6
        static let memoryAvailable: UInt16 = 7
        static let address: UInt16 = 8
        static let systemID: UInt16 = 9
        static let systemVersion: UInt16 = 10
        static let outOfMemoryKills: UInt16 = 11
    }

    init(payload: [UInt8]) throws(ProtocolFault) {
        var seen: UInt32 = 0
        var reader = RecordReader(payload)
        while let field = try reader.next() {
            if field.tag != Tag.address, field.tag < 32 {
                guard seen & 1 << UInt32(field.tag) == 0 else { throw ProtocolFault.repeatedField(field.tag) }
                seen |= 1 << UInt32(field.tag)
            }
            try take(field)
        }
    }

    private mutating func take(_ field: RecordField) throws(ProtocolFault) {
        switch field.tag {
        case Tag.agentVersion: agentVersion = try field.text(limit: Self.longestText)
        case Tag.kernelRelease: kernelRelease = try field.text(limit: Self.longestText)
        case Tag.hostname: hostname = try field.text(limit: Self.longestText)
        case Tag.bootID:
            guard field.bytes.count == 16 else { throw field.fault }
            bootID = field.bytes
        case Tag.uptime: uptime = try field.integer()
        case Tag.memoryTotal: memoryTotal = try field.integer()
        case Tag.memoryAvailable: memoryAvailable = try field.integer()
        case Tag.address:
            guard addresses.count < Self.mostAddresses else { throw ProtocolFault.tooManyFields }
            addresses.append(try field.text(limit: Self.longestText, canBeEmpty: false))
        case Tag.systemID: systemID = try field.text(limit: Self.longestText)
        case Tag.systemVersion: systemVersion = try field.text(limit: Self.longestText)
        case Tag.outOfMemoryKills: outOfMemoryKills = try field.integer()
        default: throw ProtocolFault.unknownField(field.tag)
        }
    }

    var payload: [UInt8] {
        var record = RecordWriter()
        record.add(Tag.agentVersion, agentVersion)
        record.add(Tag.kernelRelease, kernelRelease)
        record.add(Tag.hostname, hostname)
        if !bootID.isEmpty { record.add(Tag.bootID, bootID) }
        record.add(Tag.uptime, integer: uptime)
        record.add(Tag.memoryTotal, integer: memoryTotal)
        record.add(Tag.memoryAvailable, integer: memoryAvailable)
        for address in addresses { record.add(Tag.address, address) }
        record.add(Tag.systemID, systemID)
        record.add(Tag.systemVersion, systemVersion)
        record.add(Tag.outOfMemoryKills, integer: outOfMemoryKills)
        return record.bytes
    }
}

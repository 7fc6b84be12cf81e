internal import HostNetwork
internal import SavedState

/// Which frames reach the driver: the receive modes and address tables of the control queue (VIRTIO 1.2, section 5.1.6.5).
///
/// A device may filter imperfectly, so that what does not fit the tables is let through.
struct ReceiveFilter: Equatable {
    /// The most addresses of each table; a longer one is "all".
    static let tableLimit = 64

    /// The card's own address.
    var address: MACAddress
    var isPromiscuous = true
    var allowsAllMulticast = false
    var allowsAllUnicast = false
    var refusesMulticast = false
    var refusesUnicast = false
    var refusesBroadcast = false
    var unicast: [MACAddress] = []
    var multicast: [MACAddress] = []
    var isUnicastFull = false
    var isMulticastFull = false

    /// A filter that lets everything through, as after a reset.
    init(address: MACAddress) {
        self.address = address
    }

    func admits(_ destination: MACAddress) -> Bool {
        if destination == .broadcast { return !refusesBroadcast }
        if isPromiscuous { return true }
        if destination.isMulticast {
            return !refusesMulticast && (allowsAllMulticast || isMulticastFull || multicast.contains(destination))
        }
        return !refusesUnicast
            && (destination == address || allowsAllUnicast || isUnicastFull || unicast.contains(destination))
    }

    /// Carries a command of class 0 out; false if it is not known.
    mutating func setMode(_ command: UInt8, _ isOn: Bool) -> Bool {
        switch command {
        case 0: isPromiscuous = isOn
        case 1: allowsAllMulticast = isOn
        case 2: allowsAllUnicast = isOn
        case 3: refusesMulticast = isOn
        case 4: refusesUnicast = isOn
        case 5: refusesBroadcast = isOn
        default: return false
        }
        return true
    }

    /// Takes over the two tables of a command, each a number of addresses in 4 bytes, little endian, and the addresses; false if they
    /// are cut off.
    mutating func setTables(_ data: ArraySlice<UInt8>) -> Bool {
        var rest = data
        func table() -> (addresses: [MACAddress], isFull: Bool)? {
            guard rest.count >= 4 else { return nil }
            let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard count <= rest.count / 6 else { return nil }
            let addresses = (0..<min(count, Self.tableLimit)).compactMap { MACAddress(rest.dropFirst(6 * $0)) }
            rest = rest.dropFirst(6 * count)
            return (addresses, count > Self.tableLimit)
        }
        guard let first = table(), let second = table() else { return false }
        (unicast, isUnicastFull) = first
        (multicast, isMulticastFull) = second
        return true
    }

    // MARK: State

    private var modes: [Bool] {
        [
            isPromiscuous, allowsAllMulticast, allowsAllUnicast, refusesMulticast, refusesUnicast, refusesBroadcast,
            isUnicastFull, isMulticastFull,
        ]
    }

    func save(into record: inout SavedRecord) {
        record.set("macAddress", address.value)
        record.set(
            "receiveModes", modes.enumerated().reduce(UInt32(0)) { $0 | ($1.element ? 1 << UInt32($1.offset) : 0) })
        record.set("unicastTable", unicast.flatMap(\.bytes))
        record.set("multicastTable", multicast.flatMap(\.bytes))
    }

    init(_ record: SavedRecord) throws(SavedStateError) {
        self.init(address: MACAddress(value: try record.integer("macAddress")))
        let bits: UInt32 = try record.integer("receiveModes")
        func mode(_ index: UInt32) -> Bool { bits >> index & 1 != 0 }
        isPromiscuous = mode(0)
        allowsAllMulticast = mode(1)
        allowsAllUnicast = mode(2)
        refusesMulticast = mode(3)
        refusesUnicast = mode(4)
        refusesBroadcast = mode(5)
        isUnicastFull = mode(6)
        isMulticastFull = mode(7)
        unicast = try Self.table(record, "unicastTable")
        multicast = try Self.table(record, "multicastTable")
    }

    private static func table(_ record: SavedRecord, _ field: String) throws(SavedStateError) -> [MACAddress] {
        let bytes: [UInt8] = try record.bytes(field, limit: 6 * tableLimit)
        guard bytes.count % 6 == 0 else {
            throw .badField(kind: record.kind, field: field)
        }
        return stride(from: 0, to: bytes.count, by: 6).compactMap { MACAddress(bytes[$0...]) }
    }
}

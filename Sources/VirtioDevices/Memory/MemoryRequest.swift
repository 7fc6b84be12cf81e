/// A request of a memory device's driver (VIRTIO 1.2, section 5.15.6).
///
///     offset  size
///          0     2  type: 0 plug, 1 unplug, 2 unplug all, 3 state
///          8     8  guest-physical address of the first block
///         16     2  number of blocks
///
/// A request to unplug all blocks has no address and no number.
struct MemoryRequest: Equatable {
    enum Kind: UInt16 {
        case plug = 0
        case unplug = 1
        case unplugAll = 2
        case state = 3
    }

    /// Bytes.
    static let size = 24
    private static let shortest = 8

    let kind: Kind
    let address: UInt64
    let count: Int

    /// Nil for an unknown type, and for fewer bytes than the type needs.
    init?(_ bytes: [UInt8]) {
        func integer(_ offset: Int, _ size: Int) -> UInt64 {
            (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
        }
        guard bytes.count >= Self.shortest, let kind = Kind(rawValue: UInt16(integer(0, 2))) else { return nil }
        self.kind = kind
        guard bytes.count >= Self.size else {
            guard kind == .unplugAll else { return nil }
            (address, count) = (0, 0)
            return
        }
        address = integer(8, 8)
        count = Int(integer(16, 2))
    }
}

/// The answer to a request of a memory device's driver.
///
///     offset  size
///          0     2  type: 0 ACK, 1 NACK, 2 BUSY, 3 ERROR
///          8     2  of the state: 0 plugged, 1 unplugged, 2 both
enum MemoryResponse: UInt16 {
    case acknowledged = 0
    case refused = 1
    case busy = 2
    case error = 3

    /// The state of a range of blocks.
    enum BlockState: UInt8 {
        case plugged = 0
        case unplugged = 1
        case mixed = 2
    }

    /// Bytes.
    static let size = 10

    func bytes(_ state: BlockState = .plugged) -> [UInt8] {
        [UInt8(rawValue), 0, 0, 0, 0, 0, 0, 0, state.rawValue, 0]
    }
}

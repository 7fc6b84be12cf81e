import Support

/// The switch between the guests' cards and the board's. A guest's port has exactly one address, which the hypervisor chose: there is
/// nothing to learn, no guest can take another one's frames, and a unicast frame never goes to a guest that it is not for.
/// An address that is no guest's is outside.
///
/// Frames are copied at once or dropped: the receivers' own rings are the only queues. A frame from outside goes to guests only, and one
/// with a guest's address as its source came back on a loop: it is dropped.
enum Switch {
    /// Bytes of a frame without its check sequence: a header at least; a VLAN tag at most.
    static let leastBytes: UInt64 = 14
    static let mostBytes: UInt64 = 1518
    static let outside = -1

    /// The destination of a frame: byte 0 in bits 40 to 47.
    static func destination(_ frame: UInt64) -> UInt64 { address(frame) }
    static func source(_ frame: UInt64) -> UInt64 { address(frame + 6) }

    /// - Parameters:
    ///   - frame: in memory of the hypervisor's, with room for a header of 12 bytes in front of it.
    ///   - port: the guest that sent it, or `outside`.
    static func forward(_ frame: UInt64, _ size: UInt64, from port: Int) {
        let target = destination(frame)
        let isGroup = target >> 40 & 1 == 1
        if port == outside, guest(source(frame)) != nil { return }
        if !isGroup, let index = guest(target) {
            if index != port { (hypervisor.pointee.guests + index).receive(frame, size) }
            return
        }
        // First outside: a guest's copy has its header written over the bytes in front of the frame.
        if port != outside { hypervisor.pointee.card.send(frame, size, from: port) }
        guard isGroup else { return }
        for index in 0..<hypervisor.pointee.guestCount where index != port {
            let guest = hypervisor.pointee.guests + index
            if guest.pointee.network.isPresent { guest.receive(frame, size) }
        }
    }

    /// The guest that a frame from outside is for; nil: several, or none.
    static func receiver(_ frame: UInt64) -> Int? { guest(destination(frame)) }

    /// The guest with this address.
    private static func guest(_ address: UInt64) -> Int? {
        for index in 0..<hypervisor.pointee.guestCount
        where hypervisor.pointee.guests[index].network.isPresent
            && hypervisor.pointee.guests[index].network.hardwareAddress == address
        {
            return index
        }
        return nil
    }

    private static func address(_ place: UInt64) -> UInt64 {
        var value: UInt64 = 0
        for byte in UInt64(0)..<6 { value = value << 8 | UInt64(hv_load8(place + byte)) }
        return value
    }
}

import Support

/// Asks for an address of a card (RFC 2131, section 3.1).
enum DHCPClient {
    /// - Parameters:
    ///   - index: the card's number.
    ///   - hardware: its 6 bytes of address.
    ///   - limit: in milliseconds.
    ///   - accepts: whether to take an offer.
    /// - Returns: what a server has granted; nil when none has.
    static func lease(
        index: UInt32, hardware: [UInt8], within limit: UInt64, accepts: (DHCPMessage) -> Bool
    ) -> DHCPMessage? {
        guard let socket = try? PacketSocket.open(index: index) else { return nil }
        let deadline = Clock.milliseconds + limit
        var transaction = UInt32(truncatingIfNeeded: Clock.uptime)
        for byte in hardware { transaction = transaction &* 31 &+ UInt32(byte) }
        while Clock.milliseconds < deadline {
            transaction &+= 1
            let search = DHCPMessage.request(hardware, transaction: transaction, taking: nil)
            guard let offer = exchange(search, socket, hardware, transaction, .offer, by: deadline), accepts(offer)
            else { return nil }
            let request = DHCPMessage.request(hardware, transaction: transaction, taking: offer)
            if let answer = exchange(request, socket, hardware, transaction, .acknowledge, by: deadline) {
                return answer
            }
        }
        return nil
    }

    /// Sends a message, again after a fifth of a second, until it is answered.
    ///
    /// - Returns: nil when time is over, and when the server refuses.
    private static func exchange(
        _ message: [UInt8], _ socket: borrowing PacketSocket, _ hardware: [UInt8], _ transaction: UInt32,
        _ kind: DHCPMessage.Kind, by deadline: UInt64
    ) -> DHCPMessage? {
        while Clock.milliseconds < deadline {
            socket.broadcast(message)
            let again = min(Clock.milliseconds + 200, deadline)
            while let packet = socket.receive(by: again) {
                guard let answer = DHCPMessage(packet, for: hardware), answer.transaction == transaction else {
                    continue
                }
                if answer.kind == .refuse { return nil }
                if answer.kind == kind { return answer }
            }
        }
        return nil
    }
}

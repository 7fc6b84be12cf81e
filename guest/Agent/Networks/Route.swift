import Support

/// A route of IPv4 by a card (`struct rtentry`, route(7)).
struct Route {
    let card: [UInt8]
    /// The largest window that TCP offers, in bytes; 0 for the kernel's choice.
    var window = 0
    var metric = 0

    private static let size = 120

    init(card: [UInt8]) { self.card = card }

    /// To one address, which the card reaches.
    func add(to address: [UInt8], _ socket: borrowing Descriptor) {
        // RTF_UP, RTF_HOST
        send(destination: address, gateway: [0, 0, 0, 0], flags: 1 | 4, socket)
    }

    /// To everything else.
    func addDefault(by gateway: [UInt8], _ socket: borrowing Descriptor) {
        // RTF_UP, RTF_GATEWAY
        send(destination: [0, 0, 0, 0], gateway: gateway, flags: 1 | 2, socket)
    }

    /// A route that is there already stays.
    private func send(destination: [UInt8], gateway: [UInt8], flags: UInt16, _ socket: borrowing Descriptor) {
        let number = Int(socket.number)
        let (window, metric) = (window, metric)
        card.withCString { name in
            let entry = UnsafeMutableRawPointer.allocate(byteCount: Self.size, alignment: 8)
            defer { entry.deallocate() }
            for offset in 0..<Self.size { entry.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self) }
            // After a word: destination, gateway and mask, each a sockaddr_in.
            for (place, address) in [
                (8, destination), (24, gateway), (40, flags & 4 != 0 ? [255, 255, 255, 255] : [0, 0, 0, 0]),
            ] {
                entry.storeBytes(of: 2, toByteOffset: place, as: UInt16.self)
                for (index, byte) in address.prefix(4).enumerated() {
                    entry.storeBytes(of: byte, toByteOffset: place + 4 + index, as: UInt8.self)
                }
            }
            // RTF_WINDOW
            entry.storeBytes(of: flags | (window > 0 ? 0x80 : 0), toByteOffset: 56, as: UInt16.self)
            // The kernel counts from 1 here.
            entry.storeBytes(of: metric > 0 ? Int16(metric + 1) : 0, toByteOffset: 80, as: Int16.self)
            entry.storeBytes(of: Int(name), toByteOffset: 88, as: Int.self)
            entry.storeBytes(of: window, toByteOffset: 104, as: Int.self)
            // SIOCADDRT
            _ = system(SystemCall.ioctl, number, 0x890B, Int(bitPattern: entry))
        }
    }
}

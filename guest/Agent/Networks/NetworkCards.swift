import Support

/// The guest's virtio network cards, in the order in which the host has them.
enum NetworkCards {
    static let directory: StaticString = "/sys/class/net"

    /// What the kernel says of an interface.
    ///
    /// - Parameter attribute: a file's name, with a slash before it.
    @inline(never)
    static func attribute(_ name: [UInt8], _ attribute: StaticString) -> [UInt8]? {
        FileAccess.contents(path(name, attribute), limit: 256)?.trimmed
    }

    private static func path(_ name: [UInt8], _ attribute: StaticString) -> [UInt8] {
        var path = [UInt8](directory)
        path.append(UInt8(ascii: "/"))
        path.add(name)
        path.add(attribute)
        return path
    }

    /// Sets the MAC address of each card, by its order. Cards of virtio may change it while they are up: routes, addresses and connections stay.
    static func setAddresses(_ addresses: [[UInt8]]) throws(AgentFailure) {
        let names = names()
        for (index, address) in addresses.enumerated() where index < names.count {
            do throws(Errno) {
                try set(address, of: names[index])
            } catch {
                throw AgentFailure(.file, names[index], error)
            }
        }
    }

    /// The interfaces whose device is a virtio one, by the device's number: the kernel counts in the order of slots.
    private static func names() -> [[UInt8]] {
        var found: [(number: UInt64, name: [UInt8])] = []
        FileFacts.forEachName(in: [UInt8](directory)) { name in
            guard found.count < AgentLimits.cards else { return }
            // ../../../virtioN
            guard let target = FileFacts.readLink(path(name, "/device")),
                let slash = target.lastIndex(of: UInt8(ascii: "/"))
            else {
                return
            }
            let device = Array(target[(slash + 1)...])
            guard device.starts(withText: "virtio"), let number = Array(device[6...]).number else { return }
            found.append((number, name))
        }
        // Few enough to be sorted by insertion.
        var sorted: [(number: UInt64, name: [UInt8])] = []
        for card in found {
            let place = sorted.firstIndex { $0.number > card.number } ?? sorted.count
            sorted.insert(card, at: place)
        }
        return sorted.map { $0.name }
    }

    private static func set(_ address: [UInt8], of name: [UInt8]) throws(Errno) {
        // A sockaddr: u16 family (ARPHRD_ETHER), 6 bytes of address.
        var request = InterfaceRequest(name)
        request[0] = 1
        request.set(Array(address.prefix(6)), at: 2)
        try request.send(.setHardwareAddress, try InterfaceRequest.socket())
    }
}

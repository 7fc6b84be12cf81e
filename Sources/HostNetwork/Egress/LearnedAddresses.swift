/// Addresses of names that a guest may reach, as long as the answers of the resolver live.
struct LearnedAddresses {
    private struct Entry: Hashable {
        let address: IPAddress
        /// Nil for all ports.
        let port: UInt16?
    }

    private static let limit = 4096

    private var ends: [Entry: UInt64] = [:]

    /// A full table lets go of the address that ends first.
    mutating func insert(_ address: IPAddress, port: UInt16?, until end: UInt64) {
        let entry = Entry(address: address, port: port)
        if ends[entry] == nil, ends.count >= Self.limit, let first = ends.min(by: { $0.value < $1.value }) {
            ends.removeValue(forKey: first.key)
        }
        ends[entry] = max(end, ends[entry] ?? 0)
    }

    /// - Parameter port: nil for a protocol without ports, to which any port's entry belongs.
    func admits(_ address: IPAddress, port: UInt16?, now: UInt64) -> Bool {
        guard let port else { return ends.contains { $0.key.address == address && $0.value > now } }
        return [Entry(address: address, port: nil), Entry(address: address, port: port)].contains {
            ends[$0, default: 0] > now
        }
    }
}

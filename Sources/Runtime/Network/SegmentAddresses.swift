package import Aerie
package import ControlAPI
internal import HostSystem

/// The addresses of guests on switches, as the records of all machines have them.
package struct SegmentAddresses {
    /// Networks of 256 addresses from 10.89.0.0 on.
    private static let pool = (base: UInt32(10 << 24 | 89 << 16), count: UInt32(3 * 256), prefix: 24)

    private struct Use {
        let machine: String
        let address: UInt32
    }

    private var networks: [String: IPv4Network] = [:]
    private var uses: [String: [Use]] = [:]

    package init(_ machines: [Machine]) {
        for machine in machines {
            for item in machine.record.network?.addresses ?? [] {
                guard let address = IPv4Network.address(item.address),
                    let network = IPv4Network(containing: address, prefix: item.prefix)
                else { continue }
                networks[item.segment] = network
                uses[item.segment, default: []].append(Use(machine: machine.record.id, address: address))
            }
        }
    }

    /// The network of a switch: the one that the user wants, the one that its machines have, or one that no other switch has.
    ///
    /// - Throws: `notStarted` when all networks are in use.
    package mutating func network(of segment: String, wanted: IPv4Network? = nil) throws(AerieError) -> IPv4Network {
        if let wanted {
            networks[segment] = wanted
            return wanted
        }
        if let known = networks[segment] { return known }
        // The same name has the same network most times, so that a project which was removed finds its addresses again.
        let start = UInt32(truncatingIfNeeded: FNV1a(segment.utf8).value) % Self.pool.count
        for step in 0..<Self.pool.count {
            let number = (start + step) % Self.pool.count
            let network = IPv4Network(base: Self.pool.base + number << 8, prefix: Self.pool.prefix)
            guard !networks.values.contains(where: { $0.overlaps(network) }) else { continue }
            networks[segment] = network
            return network
        }
        throw AerieError(
            .notStarted, asked: "addresses for the network '\(segment)'",
            found: "all networks from 10.89.0.0 on are in use",
            advice: "remove projects, or choose a 'subnet'")
    }

    /// Whether a machine other than these has an address.
    package func isTaken(_ address: UInt32, on segment: String, except machines: Set<String> = []) -> Bool {
        uses[segment, default: []].contains { $0.address == address && !machines.contains($0.machine) }
    }

    /// Gives a machine an address.
    package mutating func take(_ address: UInt32, on segment: String, for machine: String) {
        uses[segment, default: []].append(Use(machine: machine, address: address))
    }

    /// The lowest address of a network that no machine has.
    ///
    /// - Throws: `notStarted` when there is none.
    package mutating func takeFree(
        in network: IPv4Network, of segment: String, for machine: String
    ) throws(AerieError) -> UInt32 {
        let taken = Set(uses[segment, default: []].map(\.address))
        for address in network.machineAddresses where !taken.contains(address) {
            take(address, on: segment, for: machine)
            return address
        }
        throw AerieError(
            .notStarted, asked: "an address on the network '\(segment)'", found: "all of \(network) are in use",
            advice: "remove machines, or choose a larger 'subnet'")
    }

    /// Gives a copy of a machine addresses of its own where another machine has those of the copy.
    ///
    /// - Parameters:
    ///   - network: the copy's, which begins as that of the machine that was saved.
    ///   - machine: the copy's ID.
    package mutating func renew(_ network: GuestNetwork, of machine: String) throws(AerieError) -> GuestNetwork {
        var result = network
        for index in result.addresses.indices {
            let item = result.addresses[index]
            guard let address = IPv4Network.address(item.address), isTaken(address, on: item.segment),
                let known = networks[item.segment]
            else { continue }
            result.addresses[index].address = IPv4Network.text(try takeFree(in: known, of: item.segment, for: machine))
        }
        return result
    }

    /// Refuses addresses that another machine has.
    package func check(_ network: GuestNetwork, of machine: String) throws(AerieError) {
        for item in network.addresses {
            guard let address = IPv4Network.address(item.address), isTaken(address, on: item.segment, except: [machine])
            else { continue }
            throw AerieError(
                .notStarted, asked: "the address \(item.address) on the network '\(item.segment)'",
                found: "another machine has it", advice: "try again")
        }
    }
}

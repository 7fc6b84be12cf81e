import Aerie
import ControlAPI
import GuestToolchain
import Runtime
import Testing

@Suite("Addresses on switches")
struct SegmentAddressTests {
    @Test("A text is a network of IPv4 only with a prefix of 8 to 29 bits and nothing behind it")
    func networks() {
        #expect(IPv4Network("10.89.3.0/24")?.description == "10.89.3.0/24")
        #expect(IPv4Network("10.0.0.0/8")?.machineAddresses == 0x0A00_0002..<0x0AFF_FFFF)
        #expect(IPv4Network("10.0.0.8/29")?.machineAddresses.count == 5)
        for text in [
            "10.0.0.0", "10.0.0.0/30", "10.0.0.0/7", "10.0.0.1/24", "10.0.0/24", "10.0.0.256/24", "+1.0.0.0/24", "",
        ] {
            #expect(IPv4Network(text) == nil, "\(text)")
        }
    }

    @Test(
        "Switches have networks that do not overlap, each the same one for its name, and machines the lowest free address"
    )
    func allocation() throws(AerieError) {
        var addresses = SegmentAddresses([])
        let one = try addresses.network(of: "one")
        #expect(try addresses.network(of: "one") == one)
        var again = SegmentAddresses([])
        #expect(try again.network(of: "one") == one)
        let others = try (0..<200).map { number throws(AerieError) in try addresses.network(of: "other\(number)") }
        #expect(Set(others.map(\.description)).count == 200)
        #expect(try addresses.takeFree(in: one, of: "one", for: "a") == one.base + 2)
        #expect(try addresses.takeFree(in: one, of: "one", for: "b") == one.base + 3)
        addresses.take(one.base + 4, on: "one", for: "c")
        #expect(try addresses.takeFree(in: one, of: "one", for: "d") == one.base + 5)
        #expect(addresses.isTaken(one.base + 4, on: "one"))
        #expect(!addresses.isTaken(one.base + 4, on: "one", except: ["c"]))
        #expect(!addresses.isTaken(one.base + 4, on: "two"))
    }

    @Test("A network without a free address is an error")
    func fullNetwork() throws {
        var addresses = SegmentAddresses([])
        let small = try #require(IPv4Network("10.1.0.0/29"))
        let network = try addresses.network(of: "one", wanted: small)
        for machine in ["a", "b", "c", "d", "e"] { _ = try addresses.takeFree(in: network, of: "one", for: machine) }
        #expect(throws: AerieError.self) { try addresses.takeFree(in: network, of: "one", for: "f") }
    }

    @Test("The text for the guest names cards by their MAC addresses, and leaves out those that are not there")
    func text() {
        let network = GuestNetwork(
            addresses: [
                .init(segment: "one", address: "10.89.0.2", prefix: 24),
                .init(segment: "two", address: "10.89.1.2", prefix: 24),
            ], hosts: [.init(address: "10.89.0.3", names: ["db", "store"])])
        let cards = [
            NetworkCard(network: .user, macAddress: "02:00:00:00:00:01"),
            NetworkCard(network: .segment("one"), macAddress: "AE:00:00:00:00:02"),
            NetworkCard(network: .segment("three")),
        ]
        #expect(network.text(cards) == "address ae:00:00:00:00:02 10.89.0.2/24\nhost 10.89.0.3 db store\n")
    }
}

import Aerie
import Testing

@Suite struct NetworkOptionTests {
    @Test(
        arguments: [
            ("user", NetworkCard(network: .user)), ("tap", NetworkCard(network: .tap(nil))),
            ("tap=vm0", NetworkCard(network: .tap("vm0"))), ("switch=lab", NetworkCard(network: .segment("lab"))),
            ("user,mac=52:54:00:12:34:56", NetworkCard(network: .user, macAddress: "52:54:00:12:34:56")),
        ] as [(String, NetworkCard)])
    func aCardIsANetworkWithSettings(text: String, card: NetworkCard) throws {
        #expect(try NetworkCard(option: text) == card)
    }

    @Test(
        arguments: [
            "", "nat", "switch", "user=1", "user,", "user,mac", "user,speed=1", "user,queues=0", "user,queues=17",
            "user,queues",
        ])
    func otherCardsAreUsageErrors(text: String) {
        #expect(throws: AerieError.self) { try NetworkCard(option: text) }
    }

    @Test func noNetworkHasNoSettings() {
        let error = #expect(throws: AerieError.self) { try NetworkCard(option: "none,queues=2") }
        #expect(error?.found == "settings of a card, but 'none' is no card")
    }

    @Test func aCardHasTheQueuesThatItsOptionNames() throws {
        #expect(try NetworkCard(option: "user").queues == nil)
        #expect(try NetworkCard(option: "tap=vm0,queues=16").queues == 16)
        let error = error {
            $0.networkCards = [NetworkCard(network: .segment("lab"))]
            $0.networkCards[0].queues = 17
        }
        #expect(error?.category == .usage)
        #expect(error?.advice == "queues must be 1 to 16")
    }

    @Test(
        arguments: [
            ("8080:80", PublishedPort(hostPort: 8080, guestPort: 80)),
            ("53:5353/udp", PublishedPort(hostPort: 53, guestPort: 5353, transport: .udp)),
            ("0.0.0.0:1:65535/tcp", PublishedPort(address: "0.0.0.0", hostPort: 1, guestPort: 65535)),
            ("[::1]:8080:80", PublishedPort(address: "::1", hostPort: 8080, guestPort: 80)),
        ] as [(String, PublishedPort)])
    func aPublishedPortIsTwoPortsWithAnAddress(text: String, port: PublishedPort) throws {
        #expect(try PublishedPort(option: text) == port)
    }

    @Test(arguments: ["", "80", ":80", "80:", "0:80", "80:65536", "a:b", "80:80/sctp", "80:80/", "-1:80"])
    func otherPortsAreUsageErrors(text: String) {
        #expect(throws: AerieError.self) { try PublishedPort(option: text) }
    }

    private func error(_ change: (inout Configuration) -> Void) -> AerieError? {
        var configuration = Configuration()
        configuration.kernel = "/proc/self/exe"
        change(&configuration)
        do throws(AerieError) { try configuration.validate() } catch { return error }
        return nil
    }

    @Test(arguments: ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "52:54", "x"])
    func addressesThatNoCardHasAreRefused(address: String) {
        let error = error { $0.networkCards = [NetworkCard(network: .segment("lab"), macAddress: address)] }
        #expect(error?.category == .usage)
        #expect(error?.asked == "mac=\(address)")
    }

    @Test func whatDoesNotFitTogetherIsRefused() {
        let twice = NetworkCard(network: .segment("lab"), macAddress: "52:54:00:12:34:56")
        #expect(error { $0.networkCards = [twice, twice] }?.found == "two cards have the same MAC address")
        #expect(error { $0.publishedPorts = [PublishedPort(hostPort: 1, guestPort: 1)] }?.asked == "--publish")
        #expect(error { $0.allowedEgress = ["example.org"] }?.asked == "--allow-egress")
        let cards = [NetworkCard](repeating: NetworkCard(network: .segment("lab")), count: 8)
        #expect(error { $0.networkCards = cards }?.advice == "use --transport pci")
        for name in ["", ".", "..", "a/b", "a b", String(repeating: "a", count: 33)] {
            #expect(error { $0.networkCards = [NetworkCard(network: .segment(name))] }?.category == .usage)
        }
        let bad = error {
            $0.networkCards = [NetworkCard(network: .segment("lab"))]
            $0.allowedEgress = ["http://example.org"]
        }
        #expect(bad?.asked == "--allow-egress http://example.org")
    }
}

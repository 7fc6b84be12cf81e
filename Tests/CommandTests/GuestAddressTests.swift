import AerieMachines
import AgentClient
import AgentProtocol
import Foundation
import GuestToolchain
import ScriptedAgent
import Testing

@Suite("Addresses of guests") struct GuestAddressTests {
    private static func address(_ text: String) -> GuestAddress? { GuestAddress(Array(text.utf8)) }

    @Test("An address of a guest has its interface and its prefix, in the usual form")
    func addresses() throws {
        let four = try #require(Self.address("eth0 10.0.2.15/24"))
        #expect((four.interface, four.address, four.prefixLength) == ("eth0", "10.0.2.15", 24))
        #expect("\(four)" == "10.0.2.15/24")
        #expect(!four.isLinkLocal)
        #expect(Self.address("a.b-1 2001:0DB8:0::1/128")?.address == "2001:db8::1")
        for (text, isLinkLocal) in [
            ("fe80::1/64", true), ("febf::/10", true), ("fec0::/10", false), ("169.254.1.1/16", true),
        ] {
            #expect(Self.address("e \(text)")?.isLinkLocal == isLinkLocal)
        }
    }

    @Test(
        "Any other text of a guest is no address",
        arguments: [
            "", " ", "eth0", "eth0 ", "10.0.2.15/24", "eth0 10.0.2.15", "eth0 10.0.2.15/", "eth0 10.0.2.15/33",
            "eth0 ::/129", "eth0 10.0.2/24", "eth0  10.0.2.15/24", "eth0 10.0.2.15/24 ", "eth0 10.0.2.15/+4",
            "eth0 10.0.2.15/0024", "sixteencharacter 10.0.2.15/24", "e\u{1B}[2J 10.0.2.15/24", "e\u{E9} 10.0.2.15/24",
            " 10.0.2.15/24", "eth0 ::1/4/4",
        ])
    func wrong(text: String) {
        #expect(Self.address(text) == nil)
    }

    @Test("The library asks the agent, and leaves out what is not an address")
    func library() async throws {
        let directory = TemporaryDirectory()
        let server = try AgentServer(directory.path("vm")) { peer in
            guard case .inform = peer.greet() else { return }
            var information = GuestInformation()
            information.addresses = ["eth0 10.0.2.15/24", "eth0 \u{1B}]0;x", "eth1 fe80::1/64"].map { Array($0.utf8) }
            peer.send(.information(information))
        }
        defer { server.stop() }
        let agent = GuestAgent(SocketConnector(path: directory.path("vm")), name: "vm")
        #expect(try await agent.addresses.map(\.description) == ["10.0.2.15/24", "fe80::1/64"])
    }
}

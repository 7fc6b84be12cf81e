import HostNetwork
import Testing

@Suite struct EgressRuleTests {
    @Test(
        arguments: [
            ("example.com", EgressRule.Destination.host("example.com"), nil),
            ("Example.COM.:443", .host("example.com"), 443), ("*.debian.org", .domain("debian.org"), nil),
            ("*.debian.org:80", .domain("debian.org"), 80),
            ("192.0.2.0/24", .range(IPAddress("192.0.2.0")!, prefix: 24), nil),
            ("192.0.2.9:53", .range(IPAddress("192.0.2.9")!, prefix: 32), 53),
            ("2001:db8::/32", .range(IPAddress("2001:db8::")!, prefix: 32), nil),
            ("[2001:db8::/32]:443", .range(IPAddress("2001:db8::")!, prefix: 32), 443),
            ("[::1]", .range(IPAddress("::1")!, prefix: 128), nil),
        ] as [(String, EgressRule.Destination, UInt16?)])
    func aRuleIsAHostADomainOrARange(text: String, destination: EgressRule.Destination, port: UInt16?) throws {
        let rule = try #require(EgressRule(text))
        #expect(rule.destination == destination)
        #expect(rule.port == port)
    }

    @Test(arguments: [
        "", "*", "*.", ".", "a..b", "example.com:0", "example.com:65536", "example.com:", "192.0.2.0/33", "192.0.2.0/",
        "[2001:db8::/32", "[2001:db8::/129]:1", "a b", "http://example.com", "a/b", "*.*.org",
    ])
    func anythingElseIsNone(text: String) {
        #expect(EgressRule(text) == nil)
    }
}

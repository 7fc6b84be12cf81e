import Testing

@Suite("Refusals of a project's networks")
struct NetworkRefusalTests {
    @Test(
        "A network with a field that is not supported is refused by its line",
        arguments: [
            ("{driver: overlay}", "the driver 'overlay' is not supported"),
            ("{enable_ipv6: true}", "the field is not supported"),
            ("{ipam: {config: [{gateway: 10.5.0.1}]}}", "the field is not supported"),
            ("{ipam: {config: [{subnet: 10.5.0.0/24}, {subnet: 'fd00::/64'}]}}", "a second subnet is given"),
            ("{ipam: {driver: dhcp}}", "the driver is not supported"),
            ("{internal: perhaps}", "'perhaps' is not a valid flag"),
        ])
    func networks(_ network: String, _ reason: String) {
        let text = ProjectText().refusal("image: debian", top: "networks:\n  back: \(network)\n")
        #expect(text.hasPrefix("aerie.yaml, line 5, networks.back") && text.contains(reason), "\(text)")
    }
}

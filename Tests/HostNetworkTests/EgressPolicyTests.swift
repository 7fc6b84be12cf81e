import Testing

@testable import HostNetwork

@Suite struct EgressPolicyTests {
    private func policy(_ rules: String..., hasLease: Bool = true) -> EgressPolicy {
        var policy = EgressPolicy(
            rules: rules.map { EgressRule($0)! }, hostAddress: IPAddress("10.0.2.2"),
            publishedPorts: [PublishedGuestPort(80, isUDP: false), PublishedGuestPort(53, isUDP: true)])
        if hasLease {
            #expect(passes(PacketBuilder.leaseRequest, &policy))
            observe(PacketBuilder.lease(), &policy)
        }
        return policy
    }

    private func passes(_ frame: [UInt8], _ policy: inout EgressPolicy, now: UInt64 = 0) -> Bool {
        frame.withUnsafeBytes { policy.judge($0, now: now) } == .pass
    }

    private func answer(_ frame: [UInt8], _ policy: inout EgressPolicy) -> [UInt8]? {
        guard case .refuse(let answer, _) = frame.withUnsafeBytes({ policy.judge($0, now: 0) }) else { return nil }
        return answer
    }

    private func observe(_ frame: [UInt8], _ policy: inout EgressPolicy, now: UInt64 = 0) {
        frame.withUnsafeBytes { policy.observe($0, now: now) }
    }

    private let query = PacketBuilder(destination: "10.0.2.3", sourcePort: 5000, destinationPort: 53)
    private let response = PacketBuilder(
        source: "10.0.2.3", destination: "10.0.2.15", sourcePort: 53, destinationPort: 5000)

    // MARK: Addresses

    @Test func onlyAddressesOfARulePass() {
        var policy = policy("192.0.2.0/24:443", "2001:db8::/32")
        #expect(passes(PacketBuilder().tcp(), &policy))
        #expect(!passes(PacketBuilder(destinationPort: 80).tcp(), &policy))
        #expect(!passes(PacketBuilder(destination: "192.0.3.7").tcp(), &policy))
        #expect(passes(PacketBuilder().udp(), &policy))
        #expect(passes(PacketBuilder(source: "fd00::1", destination: "2001:db8::5", destinationPort: 9).tcp(), &policy))
        #expect(!passes(PacketBuilder(source: "fd00::1", destination: "2001:db9::5").tcp(), &policy))
        #expect(passes(PacketBuilder().ip(1, [8, 0, 0, 0, 0, 1, 0, 1]), &policy))
        #expect(!passes(PacketBuilder(destination: "192.0.3.7").ip(1, [8, 0, 0, 0, 0, 1, 0, 1]), &policy))
    }

    @Test func theHostIsReachedOnlyByItsNamesRule() {
        var (closed, open) = (policy("192.0.2.0/24"), policy("host.aerie.internal:8080"))
        let frame = PacketBuilder(destination: "10.0.2.2", destinationPort: 8080).tcp()
        #expect(!passes(frame, &closed))
        #expect(passes(frame, &open))
        #expect(!passes(PacketBuilder(destination: "10.0.2.2", destinationPort: 22).tcp(), &open))
    }

    @Test func aRangeDoesNotMeanTheHost() {
        var (wide, one) = (policy("0.0.0.0/0", "::/0"), policy("10.0.2.2"))
        for address in ["10.0.2.2", "127.0.0.1", "0.0.0.0", "169.254.169.254"] {
            #expect(!passes(PacketBuilder(destination: address).tcp(), &wide))
        }
        #expect(passes(PacketBuilder(destination: "198.51.100.9").tcp(), &wide))
        #expect(passes(PacketBuilder(destination: "10.0.2.2").tcp(), &one))
    }

    @Test func whatANetworkNeedsToWorkPasses() {
        var policy = policy("192.0.2.0/24", hasLease: false)
        let arp =
            [UInt8](repeating: 0xFF, count: 6) + [2, 0, 0, 0, 0, 2, 0x08, 0x06, 0, 1, 8, 0, 6, 4]
            + [UInt8](repeating: 0, count: 22)
        #expect(passes(arp, &policy))
        #expect(passes(arp + [UInt8](repeating: 0, count: 18), &policy))
        #expect(!passes(arp + [1], &policy))
        #expect(!passes(arp + [UInt8](repeating: 0, count: 100), &policy))
        #expect(passes(PacketBuilder.leaseRequest, &policy))
        let solicitation: [UInt8] = [133, 0, 0, 0, 0, 0, 0, 0]
        #expect(
            passes(
                PacketBuilder(source: "fe80::1", destination: "ff02::2").ip(58, solicitation, hopLimit: 255), &policy))
    }

    @Test func messagesOfTheLinkAreNoWayOut() {
        var policy = policy("192.0.2.0/24")
        let far = PacketBuilder(source: "fd00::1", destination: "2001:db8::5")
        for type in [131, 132, 133, 134, 137, 143] as [UInt8] {
            #expect(!passes(far.ip(58, [type] + [UInt8](repeating: 0, count: 23), hopLimit: 255), &policy))
        }
        #expect(!passes(far.ip(58, [135] + [UInt8](repeating: 0, count: 23)), &policy))
        #expect(!passes(far.ip(58, [135] + [UInt8](repeating: 0, count: 200), hopLimit: 255), &policy))
        // DHCP goes to its servers only, and looks like it; the guest is no server itself.
        #expect(!passes(PacketBuilder(destination: "198.51.100.1", sourcePort: 68, destinationPort: 67).udp(), &policy))
        #expect(!passes(PacketBuilder(destination: "192.0.2.1", sourcePort: 68, destinationPort: 67).udp(), &policy))
        #expect(
            !passes(PacketBuilder(destination: "255.255.255.255", sourcePort: 68, destinationPort: 67).udp(), &policy))
        #expect(!passes(PacketBuilder(destination: "10.0.2.2", sourcePort: 67, destinationPort: 68).udp(), &policy))
        #expect(
            !passes(
                PacketBuilder(source: "fd00::1", destination: "ff0e::1", sourcePort: 546, destinationPort: 547).udp(),
                &policy))
    }

    @Test func onlyAnAnswerToTheGuestsRequestNamesResolvers() {
        var policy = policy("a.org", hasLease: false)
        observe(PacketBuilder.lease(), &policy)
        #expect(!passes(query.udp(PacketBuilder.dns("a.org")), &policy))
        #expect(passes(PacketBuilder.leaseRequest, &policy))
        observe(PacketBuilder.lease(identifier: 8), &policy)
        observe(PacketBuilder.lease(operation: 1), &policy)
        #expect(!passes(query.udp(PacketBuilder.dns("a.org")), &policy))
        observe(PacketBuilder.lease(), &policy)
        #expect(passes(query.udp(PacketBuilder.dns("a.org")), &policy))
    }

    @Test func packetsThatHideTheirDestinationAreRefused() {
        var policy = policy("0.0.0.0/0", "::/0")
        #expect(passes(PacketBuilder().tcp(), &policy))
        // Options, fragments, other protocols, a header that is cut off, VLAN tags, IPv6 extension headers.
        var options = PacketBuilder().ip(6, [UInt8](repeating: 0, count: 40))
        options[14] = 0x46
        #expect(!passes(options, &policy))
        #expect(!passes(PacketBuilder().ip(6, [UInt8](repeating: 0, count: 40), fragment: 0x2000), &policy))
        #expect(!passes(PacketBuilder().ip(17, [UInt8](repeating: 0, count: 40), fragment: 0x0010), &policy))
        #expect(!passes(PacketBuilder().ip(47, [UInt8](repeating: 0, count: 40)), &policy))
        #expect(!passes(PacketBuilder().ip(6, [UInt8](repeating: 0, count: 19)), &policy))
        #expect(
            !passes(
                PacketBuilder(source: "fd00::1", destination: "2001:db8::5").ip(43, [6, 0, 0, 0, 0, 0, 0, 0]), &policy))
        let hopByHop = [6, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 20)
        #expect(!passes(PacketBuilder(source: "fd00::1", destination: "2001:db8::5").ip(0, hopByHop), &policy))
        var tagged = PacketBuilder().tcp()
        tagged.replaceSubrange(12..<14, with: [0x81, 0x00])
        #expect(!passes(tagged, &policy))
        for count in 0..<54 { #expect(!passes(Array(PacketBuilder().tcp().prefix(count)), &policy)) }
    }

    // MARK: Names

    @Test func anAnswerOfTheResolverOpensItsAddresses() {
        var policy = policy("deb.debian.org:80")
        let connection = PacketBuilder(destination: "203.0.113.5", destinationPort: 80).tcp()
        #expect(!passes(connection, &policy))
        #expect(passes(query.udp(PacketBuilder.dns("dEb.debian.ORG")), &policy))
        observe(response.udp(PacketBuilder.dns("deb.debian.org", answers: [("203.0.113.5", 300)])), &policy)
        #expect(passes(connection, &policy, now: 299))
        #expect(!passes(PacketBuilder(destination: "203.0.113.5", destinationPort: 443).tcp(), &policy))
        // The connection goes on when the answer is over; a new one does not begin.
        #expect(
            passes(PacketBuilder(destination: "203.0.113.5", destinationPort: 80).tcp(flags: 0x10), &policy, now: 4000))
        #expect(
            !passes(
                PacketBuilder(destination: "203.0.113.5", sourcePort: 40001, destinationPort: 80).tcp(), &policy,
                now: 4000))
    }

    @Test func queriesForOtherNamesAreRefused() throws {
        var policy = policy("*.debian.org")
        for name in ["example.com", "debian.org", "notdebian.org", "deb.debian.org.evil.example"] {
            let refusal = try #require(answer(query.udp(PacketBuilder.dns(name)), &policy))
            // From the resolver, with the query's identifier and name, and the code for "refused".
            #expect(Array(refusal[26..<30]) == [10, 0, 2, 3])
            #expect(Array(refusal[34..<38]) == [0, 53, 0x13, 0x88])
            #expect(Array(refusal[42..<46]) == [0, 77, 0x81, 0x85])
        }
        #expect(passes(query.udp(PacketBuilder.dns("a.b.debian.org")), &policy))
    }

    @Test func aNameDoesNotOpenTheHostOrTheLink() {
        var policy = policy("evil.example")
        #expect(passes(query.udp(PacketBuilder.dns("evil.example")), &policy))
        let addresses = [
            "127.0.0.1", "10.0.2.2", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "203.0.113.9",
        ]
        observe(response.udp(PacketBuilder.dns("evil.example", answers: addresses.map { ($0, 300) })), &policy)
        for address in addresses.dropLast() {
            let source = address.contains(":") ? "fd00::1" : "10.0.2.15"
            #expect(!passes(PacketBuilder(source: source, destination: address).tcp(), &policy))
        }
        #expect(passes(PacketBuilder(destination: "203.0.113.9").tcp(), &policy))
    }

    @Test func anAnswerThatNobodyAskedForOpensNothing() {
        var policy = policy("deb.debian.org")
        let connection = PacketBuilder(destination: "203.0.113.5").tcp()
        let answers = PacketBuilder.dns("deb.debian.org", answers: [("203.0.113.5", 300)])
        observe(response.udp(answers), &policy)
        #expect(!passes(connection, &policy))
        #expect(passes(query.udp(PacketBuilder.dns("deb.debian.org")), &policy))
        // Another identifier, another port, another server.
        observe(
            response.udp(PacketBuilder.dns("deb.debian.org", identifier: 78, answers: [("203.0.113.5", 300)])), &policy)
        observe(
            PacketBuilder(source: "10.0.2.3", destination: "10.0.2.15", sourcePort: 53, destinationPort: 5001).udp(
                answers), &policy)
        observe(
            PacketBuilder(source: "198.51.100.1", destination: "10.0.2.15", sourcePort: 53, destinationPort: 5000).udp(
                answers), &policy)
        #expect(!passes(connection, &policy))
    }

    @Test func theResolverIsNoWayOutForOtherMessages() {
        var policy = policy("deb.debian.org")
        // Two questions, a response, an update, a query with records, bytes that are no message, and TCP.
        var two = PacketBuilder.dns("deb.debian.org")
        two[5] = 2
        var update = PacketBuilder.dns("deb.debian.org")
        update[2] = 0x28
        var records = PacketBuilder.dns("deb.debian.org")
        records[7] = 1
        var additional = PacketBuilder.dns("deb.debian.org")
        additional[11] = 2
        for message in [
            two, update, records, additional, PacketBuilder.dns("deb.debian.org", answers: []), [1, 2, 3], [],
        ] {
            #expect(!passes(query.udp(message), &policy))
        }
        #expect(!passes(query.tcp(), &policy))
        // A resolver that the network did not announce.
        #expect(
            !passes(
                PacketBuilder(destination: "198.51.100.53", destinationPort: 53).udp(
                    PacketBuilder.dns("deb.debian.org")), &policy))
    }

    @Test func hostileMessagesOfEveryLengthAreReadSafely() {
        var policy = policy("*.org")
        let whole = PacketBuilder.dns("a.org", answers: [("203.0.113.5", 300), ("2001:db8::1", 9)])
        for count in 0...whole.count {
            _ = passes(query.udp(PacketBuilder.dns("a.org")), &policy)
            observe(response.udp(Array(whole.prefix(count))), &policy)
        }
        var loop = whole
        for index in 12..<whole.count {
            loop[index] = 0xC0
            observe(response.udp(loop), &policy)
        }
        for index in 0..<PacketBuilder.lease().count {
            var lease = PacketBuilder.lease()
            observe(Array(lease.prefix(index)), &policy)
            lease[index] = 0xFE
            observe(lease, &policy)
        }
    }

    // MARK: Answers

    @Test func aConnectionToAnythingElseIsResetAtOnce() throws {
        var policy = policy("192.0.2.0/24")
        let reset = try #require(answer(PacketBuilder(destination: "198.51.100.1").tcp(), &policy))
        #expect(Array(reset[..<14]) == [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0])
        #expect(Array(reset[26..<34]) == [198, 51, 100, 1, 10, 0, 2, 15])
        #expect(Array(reset[34..<38]) == [0x01, 0xBB, 0x9C, 0x40])
        // It acknowledges the request's sequence number, with RST and ACK.
        #expect(Array(reset[42..<46]) == [0, 0, 0, 10])
        #expect(reset[47] == 0x14)
        // Both checksums are right: the sums with the checksums are all ones.
        #expect(reset[14..<34].withUnsafeBytes(InternetChecksum.sum) == 0xFFFF)
        let pseudoHeader: [UInt8] = Array(reset[26..<34]) + [0, 6, 0, 20]
        #expect((pseudoHeader + reset[34...]).withUnsafeBytes(InternetChecksum.sum) == 0xFFFF)
        // A reset is not answered.
        #expect(answer(PacketBuilder(destination: "198.51.100.1").tcp(flags: 0x04), &policy) == nil)
    }

    @Test func aDatagramToAnythingElseIsUnreachable() throws {
        var policy = policy("192.0.2.0/24")
        let frame = PacketBuilder(destination: "198.51.100.1").udp()
        let message = try #require(answer(frame, &policy))
        #expect(Array(message[34..<36]) == [3, 13])
        #expect(message[34...].withUnsafeBytes(InternetChecksum.sum) == 0xFFFF)
        #expect(Array(message[42...]) == Array(frame[14..<42]))
        let six = PacketBuilder(source: "fd00::1", destination: "2001:db8::9").udp()
        let message6 = try #require(answer(six, &policy))
        #expect(Array(message6[54..<56]) == [1, 1])
        #expect(Array(message6[62...]) == Array(six[14...]))
        // A group gets no answer.
        #expect(answer(PacketBuilder(destination: "224.0.0.251").udp(), &policy) == nil)
    }

    // MARK: Flows and state

    @Test func answersToConnectionsFromOutsidePassForPublishedPorts() {
        var policy = policy("192.0.2.0/24")
        let remote = PacketBuilder(
            source: "198.51.100.4", destination: "10.0.2.15", sourcePort: 50000, destinationPort: 80)
        let reply = PacketBuilder(destination: "198.51.100.4", sourcePort: 80, destinationPort: 50000)
        #expect(!passes(reply.tcp(flags: 0x12), &policy))
        observe(remote.tcp(), &policy)
        #expect(passes(reply.tcp(flags: 0x12), &policy))
        // Not a connection of the guest's own, not UDP, and not to ports that nobody published.
        #expect(!passes(reply.tcp(), &policy))
        observe(remote.udp(), &policy)
        #expect(!passes(reply.udp(), &policy))
        var (other, answer) = (remote, reply)
        (other.destinationPort, answer.sourcePort) = (81, 81)
        observe(other.tcp(), &policy)
        #expect(!passes(answer.tcp(flags: 0x12), &policy))
    }

    @Test func aFlowToTheResolverDoesNotExemptQueries() {
        var policy = policy("a.org", "10.0.2.0/24", hasLease: false)
        // Before the lease, the resolver is an address like others.
        #expect(passes(query.udp(PacketBuilder.dns("b.org")), &policy))
        #expect(passes(PacketBuilder.leaseRequest, &policy))
        observe(PacketBuilder.lease(), &policy)
        #expect(!passes(query.udp(PacketBuilder.dns("b.org")), &policy))
    }

    @Test func tablesAreBounded() {
        var policy = policy("203.0.113.0/24", "*.org")
        for number in 0..<20_000 {
            let port = UInt16(1024 + number % 60_000)
            _ = passes(
                PacketBuilder(destination: "203.0.113.\(number % 250)", sourcePort: port).tcp(), &policy,
                now: UInt64(number))
            var asked = query
            asked.sourcePort = port
            _ = passes(asked.udp(PacketBuilder.dns("n\(number).org")), &policy)
        }
        // The latest ones are known.
        #expect(
            passes(
                PacketBuilder(destination: "203.0.113.\(19_999 % 250)", sourcePort: UInt16(1024 + 19_999)).tcp(
                    flags: 0x10), &policy, now: 20_000))
    }

    @Test func aRestoredPolicyKnowsItsResolver() {
        let saved = policy("a.org").savedResolvers
        var restored = policy("a.org", hasLease: false)
        #expect(!passes(query.udp(PacketBuilder.dns("a.org")), &restored))
        restored.savedResolvers = saved
        #expect(passes(query.udp(PacketBuilder.dns("a.org")), &restored))
        for nonsense in [[9], [1, 2, 3], [UInt8](repeating: 200, count: 400)] as [[UInt8]] {
            restored.savedResolvers = nonsense
        }
        #expect(passes(query.udp(PacketBuilder.dns("a.org", identifier: 5)), &restored))
    }
}

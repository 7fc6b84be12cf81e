import Aerie
import ControlAPI
import Testing

@Suite("Records of machines") struct MachineRecordTests {
    @Test("A configuration comes back from JSON as it was, with every kind of part")
    func configuration() throws {
        var configuration = Configuration()
        configuration.architecture = .x86_64
        configuration.codeCache = .mebibytes(4)
        configuration.processor = Processor(pagingMode: .sv57)
        configuration.kernel = "ker\"nel\n"
        configuration.flash = [FlashFile(path: "code", isReadOnly: true)]
        configuration.disks = [Disk(path: "disk", format: .qcow2, access: .discardChanges, serial: "s")]
        configuration.disks[0].rate = RateLimit(bytes: .mebibytes(1), operations: 5)
        configuration.disks[0].size = ByteSize(bytes: .max)
        configuration.networkCards = [
            NetworkCard(network: .user), NetworkCard(network: .tap(nil)), NetworkCard(network: .tap("tap0")),
            NetworkCard(network: .segment("lab"), macAddress: "52:54:00:12:34:56"),
        ]
        configuration.publishedPorts = [PublishedPort(hostPort: 8080, guestPort: 80, transport: .udp)]
        configuration.allowedEgress = ["deb.debian.org"]
        configuration.sockets = SocketSettings(path: "sock", guestCID: 7)
        configuration.shares = [
            Share(
                hostDirectory: "a", guestDirectory: "/b", access: .readOnly,
                ownership: .map([Share.Range(guest: 0, host: 100_000, count: 65_536)])),
            Share(hostDirectory: "c", guestDirectory: "/d", ownership: .pass),
        ]
        configuration.watchdog = .pause
        configuration.interrupts = .aia
        let text = try JSONValue(encoding: configuration).text
        #expect(!text.contains(0x0A))
        #expect(try JSONValue(parsing: text).decode(Configuration.self) == configuration)
    }

    @Test("Numbers out of range, missing keys and values of another kind are errors")
    func damage() throws {
        let value = try JSONValue(encoding: PublishedPort(hostPort: 1, guestPort: 2))
        guard case .object(let pairs) = value else {
            throw DecodingError.valueNotFound(Int.self, .init(codingPath: [], debugDescription: ""))
        }
        for (key, wrong) in [
            ("hostPort", JSONValue(65_536)), ("hostPort", .string("1")), ("transport", .string("sctp")),
        ] {
            let changed = JSONValue.object(pairs.merging([key: wrong]) { $1 })
            #expect(throws: DecodingError.self) { try changed.decode(PublishedPort.self) }
        }
        #expect(throws: DecodingError.self) {
            try JSONValue.object(pairs.filter { $0.key != "address" }).decode(PublishedPort.self)
        }
    }

    @Test(
        "Restart policies have podman's names",
        arguments: [
            ("no", RestartPolicy.no), ("always", .always), ("on-failure", .onFailure(limit: nil)),
            ("on-failure:3", .onFailure(limit: 3)),
        ])
    func policies(text: String, policy: RestartPolicy) {
        #expect(RestartPolicy(text) == policy)
        #expect(policy.description == text)
    }

    @Test("Other policies are none", arguments: ["", "never", "on-failure:", "on-failure:0", "on-failure:x"])
    func wrongPolicies(text: String) { #expect(RestartPolicy(text) == nil) }

    @Test("Requests and answers over the control socket come back from their lines")
    func protocolLines() throws {
        let request = ControlRequest(id: 7, method: .setMemory, parameters: .object(["bytes": JSONValue(4096)]))
        #expect(ControlRequest(line: Array(request.line.dropLast())) == request)
        #expect(ControlRequest(line: Array("{\"id\":1,\"method\":\"explode\"}".utf8)) == nil)
        let error = AerieError(.usage, asked: "a", found: "b", advice: "c")
        let (id, answer) = try #require(ControlAnswer.read(Array(ControlAnswer.failure(error).line(3).dropLast())))
        #expect(id == 3)
        #expect(answer == .failure(error))
        #expect(ControlAnswer.read(Array("{\"id\":1}".utf8)) == nil)
    }
}

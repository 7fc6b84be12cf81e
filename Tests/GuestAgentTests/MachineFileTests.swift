import Foundation
import GuestAgentPrograms
import GuestToolchain
import Testing

/// What the agent does with the machine's files before the guest's init starts; here on this host.
@Suite("The agent's files of a machine")
struct MachineFileTests {
    private let directory = TemporaryDirectory()
    private let agent: String

    init() throws { agent = try directory.program("agent", GuestAgentPrograms.program(.x86_64)) }

    private func apply(_ network: String, hosts: String) throws -> (code: Int32, hosts: String, error: String) {
        let file = try directory.file("network", Data(network.utf8))
        let hostsFile = try directory.file("hosts", Data(hosts.utf8))
        let result = try HostProgram.run(agent, ["--network", file, hostsFile])
        let error = String(decoding: result.output, as: UTF8.self)
        return (result.status, try String(contentsOfFile: hostsFile, encoding: .utf8), error)
    }

    @Test("Names replace those that the host gave before, and nothing else in the file of hosts")
    func names() throws {
        let old = "127.0.0.1\tlocalhost\n10.0.0.9\told gone\t# aerie\n10.0.0.1\tmine # aerie and I\n::1\tlocalhost"
        let result = try apply("host 10.89.0.2 db shop-db\nhost 10.89.0.3 web\n", hosts: old)
        #expect(result.code == 0, "\(result.error)")
        #expect(
            result.hosts
                == "127.0.0.1\tlocalhost\n10.0.0.1\tmine # aerie and I\n::1\tlocalhost\n"
                + "10.89.0.2\tdb shop-db\t# aerie\n10.89.0.3\tweb\t# aerie\n")
        #expect(
            try apply("", hosts: result.hosts).hosts
                == "127.0.0.1\tlocalhost\n10.0.0.1\tmine # aerie and I\n::1\tlocalhost\n")
    }

    @Test(
        "Lines of another form are ignored",
        arguments: ["host 10.89.0 db", "host 10.89.0.2", "name 10.89.0.2 db", "\u{0}", " "])
    func otherLines(line: String) throws {
        let result = try apply(line + "\n", hosts: "127.0.0.1\tlocalhost\n")
        #expect(result.code == 0)
        #expect(result.hosts == "127.0.0.1\tlocalhost\n")
    }

    @Test(
        "An address for a card that is not there, or of another form, is an error that names it",
        arguments: [
            ("address 02:00:00:00:00:7f 10.89.0.2/24", "02:00:00:00:00:7f"),
            ("address 02:00:00:00:00:7f 10.89.0.2/33", "10.89.0.2/33"),
            ("address 02:00:00:00:00:7f 10.89.0.2", "10.89.0.2"),
        ])
    func wrongAddresses(line: String, subject: String) throws {
        let result = try apply(line + "\n", hosts: "")
        #expect(result.code == 71)
        #expect(result.error.contains(subject), "\(result.error)")
    }
}

import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Services of a project that talk to each other, in Debian guests.
@Suite(
    "Networks of projects", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct ProjectNetworkTests {
    private let aerie: AerieProcess
    /// Projects of tests that run at once have switches of their own.
    private let project = "net\(UInt16.random(in: 0...(.max)))"

    init() throws { aerie = try AerieProcess() }

    private func run(_ words: [String]) throws -> AerieResult {
        try aerie.run(words, environment: DebianImage.environment)
    }

    private func shell(_ service: String, _ script: String) throws -> String {
        try run(["exec", "\(project)-\(service)", "sh", "-c", script]).output
    }

    private func write(_ services: [String], networks: String = "") throws {
        let text = "name: \(project)\nservices:\n" + services.joined() + networks
        try Data(text.utf8).write(to: aerie.directory.url.appending(path: "aerie.yaml"))
    }

    private func down() { _ = try? run(["down", "--remove-orphans", "--time", "0"]) }

    /// Answers each connection to port 4000 with its name.
    private static func server(_ name: String, _ more: String = "") -> String {
        "  \(name): {image: debian, command: [sh, -c, 'while :; do hostname | busybox nc -l -p 4000; done']\(more)}\n"
    }

    /// What a service hears from another one.
    private func ask(_ name: String, from service: String) throws -> String {
        try shell(service, "for n in 1 2 3 4 5 6 7 8 9; do busybox nc \(name) 4000 </dev/null && break; sleep 1; done")
    }

    private func address(_ service: String) throws -> String {
        try shell(service, "ip -4 -o address show dev eth1 | tr -s ' ' | cut -d ' ' -f 4")
    }

    @Test(
        "Services reach each other by their names and aliases before their commands run, over restarts and with new services"
    )
    func names() throws {
        let db = Self.server("db", ", networks: {default: {aliases: [store]}}")
        // The command finds the names at its first instruction.
        let web =
            "  web: {image: debian, depends_on: [db], command: [sh, -c, 'getent hosts db store web; exec sleep infinity']}\n"
        try write([db, web])
        let up = try run(["up"])
        #expect(up.code == 0, "\(up.error)")
        defer { down() }
        #expect(try ask("db", from: "web") == "\(project)-db\n")
        #expect(try ask("store", from: "web") == "\(project)-db\n")
        #expect(try ask("\(project)-db", from: "web") == "\(project)-db\n")
        let first = try address("db")
        let own = first.split(separator: "/")[0]
        // Commands of 'exec' may be served before the machine's own command has run.
        #expect(try Patience.wait { try run(["logs", "\(project)-web"]).output.contains("\(own)") })

        #expect(try run(["restart", "--time", "0", "\(project)-db"]).code == 0)
        #expect(try address("db") == first)
        #expect(try ask("db", from: "web") == "\(project)-db\n")

        // A service that comes later is known to those that run, and knows them.
        try write([db, web, Self.server("late")])
        #expect(
            try run(["up"]).output == "\(project)-db unchanged\n\(project)-web unchanged\n\(project)-late created\n")
        #expect(try ask("late", from: "web") == "\(project)-late\n")
        #expect(try ask("db", from: "late") == "\(project)-db\n")
        // Made anew, it has its address again.
        #expect(try run(["up", "--force-recreate", "db"]).code == 0)
        #expect(try address("db") == first)
        #expect(try ask("db", from: "late") == "\(project)-db\n")
    }

    @Test(
        "A network that is internal has no way out, a service of another network is not found, and a subnet is the file's"
    )
    func separation() throws {
        let networks =
            "networks:\n  back: {internal: true, ipam: {config: [{subnet: 10.77.0.0/24}]}}\n  front: {}\n"
        try write(
            [
                Self.server("db", ", networks: {back: {ipv4_address: 10.77.0.9}}"),
                Self.server("web", ", networks: [front, back]"), Self.server("edge", ", networks: [front]"),
            ], networks: networks)
        let up = try run(["up"])
        #expect(up.code == 0, "\(up.error)")
        defer { down() }
        #expect(try shell("db", "ls /sys/class/net") == "eth0\nlo\n")
        #expect(try shell("db", "ip -4 -o address show dev eth0").contains("10.77.0.9/24"))
        #expect(try ask("db", from: "web") == "\(project)-db\n")
        #expect(try ask("web", from: "edge") == "\(project)-web\n")
        #expect(try shell("edge", "getent hosts db || echo none") == "none\n")
        #expect(try shell("db", "getent hosts web | cut -d ' ' -f 1").hasPrefix("10.77.0.2"))
    }

    @Test("A copy of a service has an address of its own and reaches the services, which still reach the original")
    func copies() throws {
        try write([Self.server("db"), Self.server("web")])
        let up = try run(["up"])
        #expect(up.code == 0, "\(up.error)")
        defer {
            _ = try? run(["rm", "--force", "\(project)-db-1", "\(project)-db-2"])
            down()
        }
        let made = try run(["fork", "\(project)-db", "--count", "2"])
        #expect(made.code == 0, "\(made.error)")
        let addresses = try ["db", "web", "db-1", "db-2"].map { try address($0) }
        #expect(Set(addresses).count == 4, "\(addresses)")
        #expect(try ask("web", from: "db-1") == "\(project)-web\n")
        #expect(try ask("web", from: "db-2") == "\(project)-web\n")
        #expect(try ask("db", from: "web") == "\(project)-db\n")
    }

    @Test("An address that another machine has, or that is not in the subnet, is refused before anything starts")
    func refusals() throws {
        let networks = "networks:\n  back: {ipam: {config: [{subnet: 10.78.0.0/24}]}}\n"
        for (address, reason) in [
            ("10.79.0.2", "'10.79.0.2' is not an address of a machine in 10.78.0.0/24"),
            ("10.78.0.1", "'10.78.0.1' is not an address of a machine in 10.78.0.0/24"),
            ("10.78.0", "'10.78.0' is not an address of a machine in 10.78.0.0/24"),
        ] {
            try write([Self.server("db", ", networks: {back: {ipv4_address: \(address)}}")], networks: networks)
            let result = try run(["up"])
            #expect(result.code == 65)
            #expect(result.error.contains(reason), "\(result.error)")
        }
        try write(
            [Self.server("db", ", networks: [back]")],
            networks: networks.replacing("10.78.0.0/24", with: "10.78.0.7/24"))
        #expect(try run(["up"]).error.contains("'10.78.0.7/24' is not a subnet of IPv4"))
        #expect(try run(["ps", "--all", "--quiet"]).output == "")
    }
}

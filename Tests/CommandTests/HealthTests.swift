import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Health checks in a Debian guest. `HealthPolicyTests` has the rules.
@Suite("Health checks", .serialized)
struct HealthTests {
    private let aerie: AerieProcess

    private struct Listing: Decodable {
        let name: String
    }

    init() throws { aerie = try AerieProcess() }

    private func aerie(_ words: [String]) throws -> AerieResult {
        try aerie.run(words, environment: DebianImage.environment)
    }

    /// The names of the machines whose health this is.
    private func names(_ health: String) throws -> [String] {
        let text = try aerie(["ps", "--filter", "health=\(health)", "--format", "json"]).output
        return try JSONDecoder().decode([Listing].self, from: Data(text.utf8)).map(\.name)
    }

    @Test(
        "A service waits for the health of another one, and 'ps' follows a guest that gets ill and is paused",
        .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
    func project() throws {
        _ = try aerie.directory.file("sleep.bin", GuestProgram.sleep)
        let file = """
            name: shop
            services:
              web:
                {firmware: sleep.bin, memory: 16M, network_mode: none, stop_grace_period: 0s,
                 depends_on: {db: {condition: service_healthy}}}
              db:
                {image: debian, network_mode: none, stop_grace_period: 0s,
                 healthcheck: {test: [CMD, test, -e, /tmp/well], interval: 300ms, retries: 2, start_period: 10m}}

            """
        try Data(file.utf8).write(to: aerie.directory.url.appending(path: "aerie.yaml"))
        let up = try RunningProgram(["up"], on: aerie, environment: DebianImage.environment)
        defer { _ = try? aerie(["down"]) }
        #expect(Patience.wait { (try? names("starting")) == ["shop-db"] })
        #expect(try aerie(["exec", "shop-db", "touch", "/tmp/well"]).code == 0)
        #expect(up.end() == 0)
        #expect(try names("healthy") == ["shop-db"])
        #expect(try aerie(["ps"]).output.contains("(healthy)"))
        #expect(try aerie(["ps", "--quiet"]).output.split(separator: "\n").count == 2)

        #expect(try aerie(["exec", "shop-db", "rm", "/tmp/well"]).code == 0)
        #expect(Patience.wait { (try? names("unhealthy")) == ["shop-db"] })
        #expect(try aerie(["pause", "shop-db"]).code == 0)
        #expect(try names("unhealthy") == ["shop-db"])
        #expect(try aerie(["resume", "shop-db"]).code == 0)
        #expect(try aerie(["exec", "shop-db", "touch", "/tmp/well"]).code == 0)
        #expect(Patience.wait { (try? names("healthy")) == ["shop-db"] })
    }

    @Test("A health check without a command, without an agent or with a wrong duration is refused")
    func refusals() throws {
        let firmware = try aerie.directory.file("sleep.bin", GuestProgram.sleep)
        let cases = [
            (["--health-interval", "1s"], "a health check: its command is missing; give --health-cmd"),
            (["--health-cmd", ""], "--health-cmd: the command is empty; leave the option out"),
            (
                ["--health-cmd", "true", "--health-interval", "0s"],
                "--health-interval 0s: it is not a valid duration; use a form such as 30s or 1m30s"
            ),
            (
                ["--health-cmd", "true", "--health-retries", "0"],
                "--health-retries 0: the number is out of range; give one from 1 to 1000"
            ),
            (
                ["--health-cmd", "true"],
                "a health check: the guest was not started from an image of Aerie, and has no agent to run it; leave it out"
            ),
        ]
        for (options, line) in cases {
            let result = try aerie.run(["create", "--network", "none", "--firmware", firmware] + options)
            #expect(result.code == 64, "\(options)")
            #expect(result.error == "aerie: \(line)\n")
        }
        #expect(try aerie.run(["ps", "--all", "--quiet"]).output == "")
    }
}

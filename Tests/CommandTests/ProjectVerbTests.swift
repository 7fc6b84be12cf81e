import Foundation
import GuestToolchain
import TestSupport
import Testing

@Suite("Projects of machines", .timeLimit(.minutes(10)))
struct ProjectVerbTests {
    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
        _ = try aerie.directory.file("sleep.bin", GuestProgram.sleep)
        _ = try aerie.directory.file("off.bin", GuestProgram.powerOff)
        _ = try aerie.directory.file("fail.bin", GuestProgram.fail42)
    }

    /// A machine as `aerie ps --format json` shows it.
    private struct Listing: Decodable {
        let id: String
        let name: String
        let state: String
        let exitCode: Int?
        let memory: Int
        let labels: [String: String]
    }

    private func listings(_ filter: String = "label=aerie.project=shop") throws -> [String: Listing] {
        let result = try aerie.run(["ps", "--filter", filter, "--format", "json"])
        let all = try JSONDecoder().decode([Listing].self, from: Data(result.output.utf8))
        return Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    }

    private static func service(_ name: String, _ firmware: String, _ more: String = "") -> String {
        "  \(name): {firmware: \(firmware), memory: 16M, network_mode: none, stop_grace_period: 0s\(more)}\n"
    }

    private func write(_ services: [String], to name: String = "aerie.yaml") throws {
        let text = "name: shop\nservices:\n" + services.joined()
        try Data(text.utf8).write(to: aerie.directory.url.appending(path: name))
    }

    private func down() { _ = try? aerie.run(["down", "--project", "shop"]) }

    /// A machine as `aerie inspect` shows it.
    private struct Inspection: Decodable {
        struct Policy: Decodable, Equatable {
            let lendsUnderPressure: Bool
            let idleTime: Int?
        }
        struct Configuration: Decodable {
            let memoryPolicy: Policy?
        }
        struct Record: Decodable {
            let configuration: Configuration
        }
        let record: Record
    }

    @Test("A service has a memory policy, which 'inspect' shows, and 'set' changes that of the running machine")
    func memoryPolicy() throws {
        defer { down() }
        try write([Self.service("web", "sleep.bin", ", memory_policy: \"pressure,idle=600\"")])
        let up = try aerie.run(["up"])
        #expect(up.code == 0, "\(up.error)")
        let shown = try aerie.run(["inspect", "shop-web"])
        let machines = try JSONDecoder().decode([Inspection].self, from: Data(shown.output.utf8))
        #expect(
            machines.map(\.record.configuration.memoryPolicy)
                == [Inspection.Policy(lendsUnderPressure: true, idleTime: 600)])
        for policy in ["fixed", "idle=20", "pressure"] {
            let result = try aerie.run(["set", "shop-web", "--memory-policy", policy])
            #expect(result.code == 0, "\(result.error)")
        }
        let wrong = try aerie.run(["set", "shop-web", "--memory-policy", "sometimes"])
        #expect(wrong.code == 64)
        #expect(wrong.error.contains("'sometimes' is not a valid policy"))
        try write([Self.service("web", "sleep.bin", ", memory_policy: sometimes")])
        #expect(try aerie.run(["up"]).error.contains("'sometimes' is not a valid policy"))
    }

    @Test("'up' makes what the file says, leaves alone what has not changed, and 'down' removes all of it")
    func life() throws {
        defer { down() }
        let job = Self.service("job", "off.bin")
        let web = Self.service(
            "web", "sleep.bin",
            ", labels: [tier=front], depends_on: {job: {condition: service_completed_successfully}}")
        let cache = Self.service("cache", "sleep.bin")
        try write([web, job, cache])
        let first = try aerie.run(["up"])
        #expect(first.error == "")
        #expect(first.code == 0)
        #expect(first.output == "shop-job created\nshop-web created\nshop-cache created\n")
        let made = try listings()
        #expect(made.count == 3)
        #expect(made["shop-job"]?.state == "exited")
        #expect(made["shop-job"]?.exitCode == 0)
        #expect(made["shop-web"]?.state == "running")
        #expect(try Set(listings("label=tier").keys) == ["shop-web"])
        #expect(try Set(listings("label=tier=front").keys) == ["shop-web"])
        #expect(try listings("label=tier=back").isEmpty)

        // From a directory below.
        let second = try aerie.run(
            ["up", "--detach", "web", "cache"],
            wrapper: ["/bin/sh", "-c", "mkdir -p below/deep && cd below/deep && exec \"$@\"", "sh"])
        #expect(second.output == "shop-job started\nshop-web unchanged\nshop-cache unchanged\n", "\(second.error)")
        #expect(try listings()["shop-web"]?.id == made["shop-web"]?.id)

        try write([web.replacing("16M", with: "32M"), job])
        let third = try aerie.run(["up", "web"])
        #expect(third.output == "shop-job started\nshop-web made anew\n")
        #expect(
            third.error
                == "aerie: machine 'shop-cache': the file has no service for it; 'aerie up --remove-orphans' removes it\n"
        )
        let changed = try listings()
        #expect(changed["shop-web"]?.memory == 32 << 20)
        #expect(changed["shop-web"]?.id != made["shop-web"]?.id)
        #expect(changed["shop-cache"]?.state == "running")

        let fourth = try aerie.run(["up", "--remove-orphans", "--force-recreate", "job"])
        #expect(fourth.output == "shop-cache removed\nshop-job made anew\n", "\(fourth.error)")
        let last = try aerie.run(["down"])
        #expect(last.output == "shop-web removed\nshop-job removed\n", "\(last.error)")
        #expect(last.code == 0)
        #expect(try listings().isEmpty)
        #expect(try aerie.run(["down"]).code == 0)
    }

    @Test("A service that fails leaves what runs, and the error says what does")
    func failure() throws {
        defer { down() }
        try write([
            Self.service("base", "sleep.bin"), Self.service("job", "fail.bin"),
            Self.service("web", "sleep.bin", ", depends_on: {job: {condition: service_completed_successfully}}"),
            Self.service("last", "sleep.bin"),
        ])
        let result = try aerie.run(["up"])
        #expect(result.code == 125)
        #expect(result.output == "shop-base created\nshop-job created\n")
        #expect(
            result.error
                == "aerie: service 'web': service 'job', which has to be done first: it ended with code 42; see 'aerie logs "
                + "shop-job'; services that are up: base, job; not started: last\n")
        #expect(try listings()["shop-base"]?.state == "running")
        #expect(try listings()["shop-web"] == nil)

        // Another directory has a project of the same name.
        let other = [
            "/bin/sh", "-c", "mkdir -p other && cp aerie.yaml sleep.bin other && cd other && exec \"$@\"", "sh",
        ]
        for verb in ["up", "down"] {
            let refused = try aerie.run([verb], wrapper: other)
            #expect(refused.code == 64)
            #expect(refused.error.contains("project 'shop': its machines were made from \(aerie.directory.url.path)"))
        }
        #expect(try listings()["shop-base"]?.state == "running")
    }

    @Test("A command waits for another one that changes the same project, and goes on when that is killed")
    func exclusion() throws {
        defer { down() }
        try write([
            Self.service("job", "sleep.bin"),
            Self.service("web", "sleep.bin", ", depends_on: {job: {condition: service_completed_successfully}}"),
        ])
        // The job never ends.
        let up = try RunningProgram(["up"], on: aerie)
        #expect(try Patience.wait { try listings()["shop-job"]?.state == "running" })
        let down = try RunningProgram(["down"], on: aerie)
        #expect(Patience.wait { down.error == "aerie: waiting for another command that changes project 'shop'\n" })
        up.send(SIGKILL)
        #expect(up.end() == -SIGKILL)
        #expect(down.end() == 0)
        #expect(String(decoding: down.readAll(), as: UTF8.self) == "shop-job removed\n")
        #expect(try listings().isEmpty)
    }

    @Test("A wrong file is one line with its place, and nothing starts")
    func wrongFiles() throws {
        defer { down() }
        #expect(try aerie.run(["up"]).error.hasPrefix("aerie: the project's file: there is no aerie.yaml"))
        #expect(try aerie.run(["up"]).code == 64)
        #expect(try aerie.run(["down", "--project", "A"]).code == 64)
        let good = Self.service("a", "sleep.bin")
        let lines = [
            (Self.service("b", "sleep.bin", ", cpus: 100"), "services.b.cpus: '100' is not a number from 1 to 64"),
            (Self.service("b", "sleep.bin", ", disk: 'a,b=c'"), "services.b.disk: "),
            (Self.service("b", "absent.bin"), "services.b: "),
            (Self.service("b", "sleep.bin", ", build: ."), "services.b.build: the field is not supported"),
            (
                Self.service("b", "sleep.bin", ", healthcheck: {test: x}"),
                "services.b.healthcheck: the service has no image"
            ),
            (Self.service("b", "sleep.bin", ", command: x"), "services.b.command: the service has no image"),
        ]
        for (service, found) in lines {
            try write([good, service])
            let result = try aerie.run(["up"])
            #expect(result.code == 65)
            #expect(result.output == "")
            #expect(result.error.hasPrefix("aerie: aerie.yaml, line 4, \(found)"), "\(result.error)")
            #expect(result.error.split(separator: "\n").count == 1)
        }
        #expect(try listings().isEmpty)
    }

    @Test("Labels are the user's, too")
    func labels() throws {
        let firmware = aerie.directory.url.appending(path: "off.bin").path
        let options = ["--firmware", firmware, "--network", "none", "--name", "one"]
        #expect(try aerie.run(["create", "--label", "a=b=c", "--label", "d"] + options).code == 0)
        #expect(try listings("label=a=b=c")["one"]?.labels == ["a": "b=c", "d": ""])
        #expect(try aerie.run(["create", "--label", "=x"] + options).error.contains("--label =x: the key is missing"))
    }
}

import Foundation
import Testing

@testable import Compose

@Suite("Projects")
struct ProjectTests {
    private static let chain = """
        services:
          web: {depends_on: [cache, db]}
          cache: {depends_on: {db: {condition: service_completed_successfully}}}
          db: {}
          alone: {}
        """

    @Test("Services start behind those on which they depend, and otherwise in the file's order")
    func order() throws {
        let project = try ProjectText().read(Self.chain)
        #expect(project.services.map(\.name) == ["db", "cache", "web", "alone"])
        #expect(project.services[1].dependencies.map(\.condition) == [.completed])
        #expect(project.services[2].dependencies.map(\.condition) == [.started, .started])
    }

    @Test("A selection has the services on which the chosen ones depend")
    func selection() throws {
        let project = try ProjectText().read(Self.chain)
        #expect(try project.selection([], file: "f").count == 4)
        #expect(try project.selection(["cache"], file: "f").map(\.name) == ["db", "cache"])
        #expect(try project.selection(["alone", "db"], file: "f").map(\.name) == ["db", "alone"])
        var message = ""
        do throws(ComposeError) { _ = try project.selection(["dv"], file: "f") } catch { message = error.description }
        #expect(message == "f, services: there is no service 'dv'; use one of alone, cache, db, web")
    }

    @Test("A cycle of dependencies is an error that shows the cycle")
    func cycles() {
        let file = """
            services:
              a: {depends_on: [b]}
              b: {depends_on: [c]}
              c: {depends_on: [b]}
            """
        #expect(
            ProjectText().refusal(file: file)
                == "aerie.yaml, line 3, services.b.depends_on: the services depend on each other in a cycle: b -> c -> b; "
                + "leave one dependency out")
        #expect(ProjectText().refusal("depends_on: [web]").contains("in a cycle: web -> web"))
    }

    @Test("A condition that cannot come true is an error")
    func impossibleConditions() {
        let healthy = "services: {a: {depends_on: {b: {condition: service_healthy}}}, b: {}}"
        #expect(ProjectText().refusal(file: healthy).contains("service 'b' has no health check"))
        let completed =
            "services: {a: {depends_on: {b: {condition: service_completed_successfully}}}, b: {restart: always}}"
        #expect(ProjectText().refusal(file: completed).contains("service 'b' never ends"))
    }

    @Test("The name comes from the option, the environment, the file or the directory, in this order")
    func names() throws {
        let file = "name: filed\nservices: {a: {}}"
        #expect(try ProjectText().read("services: {a: {}}", directory: "-My Shop_2!").name == "myshop_2")
        #expect(try ProjectText().read(file).name == "filed")
        let environment = ["COMPOSE_PROJECT_NAME": "outside"]
        #expect(try ProjectText(environment: environment).read(file).name == "outside")
        #expect(try ProjectText(files: [".env": "COMPOSE_PROJECT_NAME=dotted"]).read(file).name == "dotted")
        let project = try ProjectText(environment: environment, name: "typed").read(file)
        #expect(project.name == "typed")
        #expect(project.machineName("a") == "typed-a")
        #expect(ProjectText(name: "Typed").refusal(file: file).contains("'Typed' is not a valid name"))
    }

    @Test("Variables come from the environment, then from .env, and one without a value is a warning")
    func variables() throws {
        let text = ProjectText(environment: ["A": "outside"], files: [".env": "A=inside\nB=$A-2"])
        let project = try text.read(ProjectText.file("image: $A\nmemory: ${C:-1}${D}G\ndisk: ['$B', '$D']"))
        #expect(
            project.services[0].settings.map(\.value)
                == [.text("outside"), .text("1G"), .text("outside-2"), .text("")])
        #expect(
            project.warnings == [
                "aerie.yaml, line 4, services.web.memory: the variable D has no value; an empty text is used"
            ])
        #expect(
            ProjectText(files: [".env": "A"]).refusal("cpus: 1") == ".env, line 1: a '=' is missing; write NAME=VALUE")
    }

    // MARK: The digest

    private func definition(_ fields: String, text: ProjectText = ProjectText()) throws -> String {
        try text.service("image: debian\n" + fields).definition
    }

    @Test("The digest of a definition does not depend on the order of fields, nor on the form of values")
    func equalDefinitions() throws {
        let first = try definition("memory: 1G\ncpus: 2\nenvironment: {A: 1, B: 2}\ncommand: ls -l")
        let second = try definition(
            "command: [ls, '-l']\nenvironment: [B=2, A=1]\ncpus: ${N}\nmem_limit: 1gb",
            text: ProjectText(environment: ["N": "2"]))
        #expect(first == second)
        #expect(first.utf8.count == 16)
        #expect(try definition("ports: ['80:80']") == definition("publish: '80:80'"))
        let depending = "services: {b: {}, a: {image: debian, depends_on: [b]}}"
        let alone = "services: {b: {}, a: {image: debian}}"
        #expect(
            try ProjectText().read(depending).services.last?.definition
                == ProjectText().read(alone).services.last?.definition)
    }

    @Test("Every change of a machine changes the digest")
    func differentDefinitions() throws {
        let fields = [
            "", "cpus: 2", "cpus: 3", "memory: 2", "disk: [a, b]", "disk: [b, a]", "disk: [ab]", "command: a b",
            "command: [a b]", "environment: {A: 1}", "environment: {A: 2}", "restart: always", "labels: {a: b}",
            "labels: {ab: ''}", "read_only: true", "read_only: false", "healthcheck: {test: x}",
            "healthcheck: {test: x, retries: 4}", "hostname: a", "stop_grace_period: 5s", "user: a", "working_dir: /a",
            "network_mode: none", "networks: {default: {ipv4_address: 10.0.0.2}}",
            "networks: {default: {mac_address: 02:00:00:00:00:01}}",
        ]
        let digests = try fields.map { try definition($0) }
        #expect(Set(digests).count == fields.count)
        // A running guest learns other names.
        #expect(try definition("networks: {default: {aliases: [www]}}") == digests[0])
    }

    @Test("The digest stays the same over versions of the program, so that nothing is made anew by an update")
    func fixedDigest() throws {
        #expect(try definition("cpus: 2\ncommand: ls") == "4bd7b1c1a7d08556")
    }

    // MARK: The documentation

    @Test("The example in the documentation is a valid project")
    func example() throws {
        let docs = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs")
        let page = try String(contentsOf: docs.appending(path: "compose.md"), encoding: .utf8)
        // The page shows the file itself, indented as code.
        let example = try String(contentsOf: docs.appending(path: "examples/aerie.yaml"), encoding: .utf8)
        let shown = example.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "    \($0)" }.joined(separator: "\n")
        #expect(page.contains(shown))
        let project = try ProjectText(files: ["web.env": "MODE=production"]).read(example)
        #expect(project.services.map(\.name) == ["db", "web"])
        #expect(project.warnings == [])
    }
}

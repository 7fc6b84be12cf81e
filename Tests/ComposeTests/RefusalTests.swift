import Testing

@testable import Compose

@Suite("What project files are refused for")
struct RefusalTests {
    @Test(
        "A field that is not supported is named with its line and, where there is one, another way",
        arguments: [
            ("build: .", "build", "make the image with 'aerie image build', and name it with 'image'"),
            (
                "container_name: x", "container_name",
                "the machine is named PROJECT-SERVICE; 'name' at the top of the file is the project"
            ),
            ("secrets: [a]", "secrets", "share a directory with 'volumes', or use 'env_file'"),
            ("ulimits: {}", "ulimits", "leave it out, or name it 'x-ulimits' to have it ignored"),
            ("deploy: {replicas: 2}", "deploy.replicas", "write a service for each machine"),
            (
                "healthcheck: {start_interval: 1s}", "healthcheck.start_interval",
                "leave it out, or name it 'x-start_interval' to have it ignored"
            ),
            (
                "depends_on: {web: {when: now}}", "depends_on.web.when",
                "leave it out, or name it 'x-when' to have it ignored"
            ),
        ])
    func unsupported(field: String, name: String, advice: String) {
        #expect(
            ProjectText().refusal(field)
                == "aerie.yaml, line 3, services.web.\(name): the field is not supported; \(advice)")
    }

    @Test("The line is that of the field, wherever it stands")
    func lines() {
        #expect(
            ProjectText().refusal("image: debian\n\n\nlinks: [a]").hasPrefix("aerie.yaml, line 6, services.web.links:"))
        #expect(
            ProjectText().refusal("ports:\n  - 80:80\n  - nonsense")
                == "aerie.yaml, line 5, services.web.ports: 'nonsense' names no port of the host; use HOSTPORT:GUESTPORT"
        )
        #expect(
            ProjectText().refusal("cpus: 1", top: "secrets: {a: }")
                == "aerie.yaml, line 4, secrets: the field is not supported; share a directory with 'volumes', or use 'env_file'"
        )
    }

    @Test(
        "Values that are wrong are shown",
        arguments: [
            ("restart: sometimes", "'sometimes' is not a restart policy"),
            ("restart: on-failure:0", "'on-failure:0' is not a restart policy"),
            ("stop_grace_period: 10", "'10' is not a valid duration"),
            ("memory: 1.5g", "'1.5g' is not a valid size"), ("memory: lots", "'lots' is not a valid size"),
            ("memory: ", "a value is missing"), ("memory: [1G]", "a single value is expected"),
            ("ports: 80:80", "a list is expected"), ("ports: ['80']", "'80' names no port of the host"),
            ("ports: ['80:80/sctp']", "the protocol 'sctp' is not supported"),
            ("ports: ['0:80']", "'0:80' is not a pair of ports"),
            ("ports: ['80-90:80-91']", "'80-90:80-91' is not a pair of ports"),
            ("ports: ['1-2000:1-2000']", "2000 ports are published"),
            ("ports: [{target: 80}]", "'target' or 'published' is missing"),
            ("volumes: [data:/data]", "'data' is a named volume, which is not supported"),
            ("volumes: [/data]", "'/data' is not a shared directory"),
            ("volumes: ['./a:/a:z']", "the mode 'z' is not supported"),
            ("volumes: [{type: volume, source: a, target: /a}]", "the type 'volume' is not supported"),
            ("networks: [back]", "there is no network 'back'"),
            ("networks: [default, default]", "the service is on the switch 'shop-default' already"),
            ("networks: {default: {priority: 5}}", "the field is not supported"),
            ("networks: {default: {aliases: ['a b']}}", "'a b' is not a valid host name"),
            ("networks: []", "no network is named"),
            ("network: [none]\nnetworks: [default]", "'network' or 'network_mode' is given, too"),
            ("networks: [default]\nnetwork: [none]", "'networks' is given, too"),
            ("network_mode: host", "the mode 'host' is not supported"),
            ("platform: linux/s390x", "'linux/s390x' is not a known platform"),
            ("read_only: maybe", "'maybe' is not a valid flag"),
            ("labels: [aerie.x=1]", "'aerie.x' is not a valid label"),
            ("tty: false", "false is not supported: a guest always has a console, which 'aerie attach' shows"),
            ("memory: 1G\nmem_limit: 2G", "'memory' is given twice, in line 3 as well"),
            ("network_mode: none\nnetworks: [default]", "'network' or 'network_mode' is given, too"),
            ("healthcheck: {interval: 1s}", "it has no 'test'"),
            ("healthcheck: {test: [RUN, x]}", "the test has an unknown form"),
            ("healthcheck: {test: x, retries: 0}", "'0' is not a number from 1 to 1000"),
            ("healthcheck: {test: x, interval: 0s}", "'0s' is not a valid duration"),
            ("depends_on: [db]", "there is no service 'db'"),
            ("depends_on: {web: {condition: up}}", "'up' is not a valid condition"),
            ("memory: $", "a '$' is not followed by a variable"),
            ("memory: ${SIZE:?how much?}", "the variable SIZE has no value: how much?"),
        ])
    func wrongValues(field: String, found: String) {
        let refusal = ProjectText().refusal(field)
        #expect(refusal.contains(": \(found)"), "\(refusal)")
    }

    @Test(
        "Values for the guest that are wrong are shown",
        arguments: [
            ("hostname: a_b", "'a_b' is not a valid host name"),
            ("working_dir: srv", "'srv' is not an absolute path in the guest"),
            ("user: 'a b'", "'a b' is not a valid user"), ("user: -x", "'-x' is not a valid user"),
            ("user: 1000:adm", "'1000:adm' is not a valid user"),
            ("command: sh -c 'x", "a quotation mark has no partner, or a backslash ends the command"),
            (#"command: ["a\0b"]"#, "a text has a zero byte"),
            ("environment: [1A=x]", "'1A' is not the name of a variable"),
            ("environment: {-u: x}", "'-u' is not the name of a variable"),
        ])
    func wrongGuestValues(field: String, found: String) {
        let refusal = ProjectText().refusal("image: debian\n" + field)
        #expect(refusal.hasPrefix("aerie.yaml, line 4, services.web."), "\(refusal)")
        #expect(refusal.contains(": \(found)"), "\(refusal)")
    }

    @Test(
        "What only an image's init can do needs an image",
        arguments: ["command: ls", "environment: {A: 1}", "hostname: x", "working_dir: /", "user: a"])
    func imageFields(field: String) {
        let name = field.prefix { $0 != ":" }
        #expect(
            ProjectText().refusal("firmware: f\n" + field)
                == "aerie.yaml, line 4, services.web.\(name): the service has no image whose guest would do it; add 'image', or leave it out"
        )
    }

    @Test("Published ports need a network with a way out")
    func portsWithoutNetwork() throws {
        let top = "networks: {back: {internal: true}}"
        #expect(
            ProjectText().refusal("ports: ['80:80']\nimage: a\nnetworks: [back]", top: top).contains(
                "line 3, services.web.ports: the service is on internal networks only"))
        #expect(ProjectText().refusal("ports: ['80:80']\nnetworks: [back, default]", top: top) == "")
    }

    @Test(
        "Text that is no YAML is refused with its line",
        arguments: [
            ("services:\n  web: {", "line 3: "), ("services:\n\tweb:", "line 2: "),
            ("a: 1\na: 2", "line 1: key 'a' stands for the second time"),
            ("", "the file is empty"), ("- a", "a mapping is expected"), ("a: *b", "line 1: found undefined alias"),
        ])
    func noYAML(text: String, found: String) {
        let refusal = ProjectText().refusal(file: text)
        #expect(refusal.hasPrefix("aerie.yaml"), "\(refusal)")
        #expect(refusal.contains(found), "\(refusal)")
    }

    @Test("Values that are nested without end are refused")
    func deepNesting() {
        let text = "x-a: " + String(repeating: "[", count: 100_000)
        #expect(ProjectText().refusal(file: text).hasPrefix("aerie.yaml"))
    }

    @Test("A file without services, with named volumes or with names that machines cannot have is refused")
    func wholeFile() {
        #expect(ProjectText().refusal(file: "name: a").contains("it has no services"))
        #expect(ProjectText().refusal(file: "services: {}").contains("it has no service"))
        #expect(
            ProjectText().refusal("cpus: 1", top: "volumes:\n  data:")
                == "aerie.yaml, line 5, volumes.data: named volumes are not supported; share a directory "
                + "('./data:/DIRECTORY' in 'volumes' of the service), or give a disk with 'disk'")
        #expect(
            ProjectText().refusal(file: "services: {'a b': {}}").contains("'a b' is not a valid name for a service"))
        let long = String(repeating: "x", count: 60)
        #expect(ProjectText().refusal(file: "services: {\(long): {}}").contains("has more than 63 bytes"))
        #expect(
            ProjectText().refusal(file: "name: A\nservices: {a: {}}").contains("'A' is not a valid name for a project"))
    }
}

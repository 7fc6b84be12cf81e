import Testing

@testable import Compose

@Suite("Fields of services")
struct ServiceFieldTests {
    @Test("Options of 'aerie run' stand under their own names, with '_' for '-' as well")
    func options() throws {
        let settings = try ProjectText().settings(
            """
            image: debian
            cpus: 2
            watchdog: reboot
            disk: [data.img, "more.img,readonly"]
            disk_size: 4G
            read-only: true
            allow_egress: "*.debian.org"
            """)
        #expect(
            settings == [
                "image=debian", "cpus=2", "watchdog=reboot", "disk=data.img", "disk=more.img,readonly", "disk-size=4G",
                "read-only=true", "allow-egress=*.debian.org",
            ])
    }

    @Test(
        "Memory is written as compose writes it, or as aerie does",
        arguments: [
            ("memory: 512M", "512M"), ("mem_limit: 512m", "512M"), ("mem_limit: 1gb", "1G"), ("memory: 64kb", "64K"),
            ("mem_limit: 268435456", "268435456"), ("memory: 268435456b", "268435456"),
            ("deploy: {resources: {limits: {memory: 2g}}}", "2G"),
        ])
    func memory(field: String, value: String) throws {
        #expect(try ProjectText().settings(field) == ["memory=\(value)"])
    }

    @Test("Limits of 'deploy' and the platform are settings")
    func deployment() throws {
        #expect(
            try ProjectText().settings("platform: linux/amd64\ndeploy:\n  resources:\n    limits:\n      cpus: '4'")
                == ["arch=x86_64", "cpus=4"])
        #expect(try ProjectText().settings("platform: linux/riscv64") == ["arch=riscv64"])
    }

    @Test("Ports have a short and a long form, addresses, protocols and ranges")
    func ports() throws {
        let settings = try ProjectText().settings(
            """
            ports:
              - 8080:80
              - "22:22"
              - 0.0.0.0:53:53/udp
              - "[::1]:8443:443/tcp"
              - 9000-9002:7000-7002
              - target: 5432
                published: "15432"
                host_ip: 127.0.0.1
                protocol: udp
                name: database
            """)
        #expect(
            settings
                == [
                    "8080:80", "22:22", "0.0.0.0:53:53/udp", "[::1]:8443:443", "9000:7000", "9001:7001", "9002:7002",
                    "127.0.0.1:15432:5432/udp",
                ].map { "publish=\($0)" })
    }

    @Test("Volumes are directories of the host in a short and a long form")
    func volumes() throws {
        let settings = try ProjectText(environment: ["HOME": "/home/ada"]).settings(
            """
            volumes:
              - ./data:/data
              - /srv/a,b:/srv:ro
              - ~/notes:/notes:rw
              - {type: bind, source: .., target: /up, read_only: true}
            """)
        #expect(
            settings == [
                "share=./data:/data", "share=/srv/a,,b:/srv:ro", "share=/home/ada/notes:/notes", "share=..:/up:ro",
            ])
    }

    /// Each attachment as `SWITCH NAME…`, with the MAC address and the address where they are given.
    private func attachments(_ fields: String, top: String = "") throws -> [String] {
        try ProjectText().service("image: debian\n" + fields, top: top).attachments.map { item in
            ([item.network.segment] + item.aliases + [item.macAddress, item.address].compactMap { $0 }).joined(
                separator: " ")
        }
    }

    @Test("A service is on the project's network 'default', and on those that it names instead")
    func networks() throws {
        let top = "networks: {back: , shared: {external: true}, other: {name: lab}}"
        #expect(try attachments("cpus: 1") == ["shop-default"])
        #expect(
            try attachments("networks: [default, back, shared, other]", top: top)
                == ["shop-default", "shop-back", "shared", "lab"])
        #expect(
            try attachments(
                "networks:\n  back: {mac_address: 02:00:00:00:00:01, ipv4_address: 10.1.0.9}\n  default: {aliases: [www, a.b]}",
                top: top) == ["shop-back 02:00:00:00:00:01 10.1.0.9", "shop-default www a.b"])
        #expect(try attachments("cpus: 1", top: "networks: {default: {name: lab}}") == ["lab"])
        #expect(try ProjectText().settings("network_mode: none") == ["network=none"])
        #expect(try attachments("network_mode: none").isEmpty)
        #expect(try ProjectText().settings("network: [tap=t0]") == ["network=tap=t0"])
        #expect(try attachments("network: [tap=t0]").isEmpty)
        // Nobody in such a guest would know of addresses.
        #expect(try ProjectText().service("firmware: f").attachments.isEmpty)
        let long = try ProjectText(name: String(repeating: "p", count: 40)).service("image: debian").attachments
        #expect(long.map(\.network.segment.utf8.count) == [32])
    }

    @Test("A network that is internal gives no way out, and has the subnet that the file says")
    func internalNetworks() throws {
        let top = "networks: {back: {internal: true, driver: bridge, ipam: {config: [{subnet: 10.5.0.0/24}]}}}"
        func hasWayOut(_ fields: String) throws -> Bool {
            try ProjectText().service("image: debian\n" + fields, top: top).hasWayOut
        }
        #expect(try hasWayOut("cpus: 1"))
        #expect(try !hasWayOut("networks: [back]"))
        #expect(try hasWayOut("networks: [back, default]"))
        #expect(try !hasWayOut("network_mode: none"))
        let service = try ProjectText().service("image: debian\nnetworks: [back]", top: top)
        #expect(service.attachments.map(\.network.subnet) == ["10.5.0.0/24"])
    }

    @Test("The command runs with its environment, its directory and its user, by the guest's agent")
    func command() throws {
        let text = ProjectText(
            environment: ["TOKEN": "s3cret", "PAGES": "7"],
            files: ["web.env": "MODE=file\nPAGES=9\nBASE=/srv/$PAGES", "last.env": "LAST=1\nMODE=last"])
        func process(_ fields: String) throws -> GuestCommand {
            try text.service("image: debian\n" + fields).process
        }
        #expect(try process("command: echo 'a b'").agentWords == ["echo", "a b"])
        #expect(try process("command: [echo, a b, 3]").agentWords == ["echo", "a b", "3"])
        #expect(
            try process("entrypoint: [tini, --]\ncommand: sleep 9").agentWords == ["tini", "--", "sleep", "9"])
        #expect(
            try process("command: env\nenvironment: {A: 1, B: , TOKEN: }").variables == ["A=1", "TOKEN=s3cret"])
        #expect(
            try process("command: env\nenvironment: [MODE=mine, TOKEN, NONE]\nenv_file: [web.env, last.env]").variables
                == ["BASE=/srv/7", "LAST=1", "MODE=mine", "PAGES=9", "TOKEN=s3cret"])
        let all = try process("command: ls\nworking_dir: /srv\nuser: www-data:adm")
        #expect(all.directory == "/srv" && all.userText == "www-data:adm")
        #expect(try process("command: id\nuser: '1000'").userText == "1000:1000")
        #expect(try process("command: id\nuser: root").userText == nil)
        #expect(try process("environment: {A: 1}").agentWords == ["/bin/bash", "--login"])
        #expect(try process("cpus: 1").agentWords == [])
    }

    @Test(
        "The command runs with its environment, its directory and its user, by programs of an image without the agent")
    func commandWithoutAgent() throws {
        func words(_ fields: String) throws -> [String] {
            try ProjectText().service("image: debian\n" + fields).process.words
        }
        #expect(
            try words("command: ls\nworking_dir: /srv\nuser: www-data:adm\nenvironment: {A: b}")
                == [
                    "runuser", "-u", "www-data", "-g", "adm", "--", "env", "--", "A=b", "sh", "-c",
                    #"cd -- "$0" && exec "$@""#, "/srv", "ls",
                ])
        #expect(
            try words("command: id\nuser: '1000'")
                == ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--", "env", "--", "HOME=/", "id"])
        #expect(try words("command: id\nuser: root") == ["id"])
        #expect(try words("environment: {A: 1}") == ["env", "--", "A=1", "/bin/bash", "--login"])
        #expect(try words("cpus: 1") == [])
    }

    @Test("A file of variables that is not required may be missing")
    func optionalFiles() throws {
        let fields = "image: debian\ncommand: id\nenv_file:\n  - path: none.env\n    required: "
        #expect(try ProjectText().service(fields + "false").process.agentWords == ["id"])
        #expect(
            ProjectText().refusal(fields + "true")
                == "aerie.yaml, line 6, services.web.env_file: the file 'none.env' cannot be read: it is not there; correct the path"
        )
    }

    @Test("The host's name is a word of the kernel's command line, behind the user's own")
    func hostname() throws {
        #expect(
            try ProjectText().settings("image: debian\nhostname: db-1\nappend: quiet")
                == ["image=debian", "append=quiet aerie.hostname=db-1"])
    }

    @Test("Restart policies, the time to stop, labels, and fields that a guest has anyway")
    func life() throws {
        let service = try ProjectText().service(
            """
            restart: on-failure:3
            stop_grace_period: 1m
            labels: [tier=front, plain]
            tty: true
            stdin_open: true
            init: true
            x-note: {any: thing}
            """)
        #expect(service.restart == "on-failure:3")
        #expect(service.settings.map(\.name) == ["stop-timeout"])
        #expect(service.settings[0].value == .text("60"))
        #expect(service.labels == ["tier": "front", "plain": ""])
        for (text, policy) in [("no", "no"), ("\"no\"", "no"), ("always", "always"), ("unless-stopped", "always")] {
            #expect(try ProjectText().service("restart: \(text)").restart == policy)
        }
    }

    @Test("A health check has compose's forms and defaults")
    func healthCheck() throws {
        let plain = try ProjectText().service("image: debian\nhealthcheck: {test: [CMD, pg_isready, -q]}").healthCheck
        #expect(plain == ComposeHealthCheck(command: ["pg_isready", "-q"]))
        let full = try ProjectText().service(
            "image: debian\nhealthcheck: {test: curl -f localhost, interval: 5s, timeout: 1500ms, retries: 5, start_period: 1m}"
        )
        var expected = ComposeHealthCheck(command: ["/bin/sh", "-c", "curl -f localhost"])
        expected.interval = 5_000_000_000
        expected.timeout = 1_500_000_000
        expected.retries = 5
        expected.startPeriod = 60_000_000_000
        #expect(full.healthCheck == expected)
        #expect(
            try ProjectText().service("image: debian\nhealthcheck: {test: [CMD-SHELL, exit 0]}").healthCheck?.command
                .count == 3)
        #expect(try ProjectText().service("healthcheck: {test: [NONE]}").healthCheck == nil)
        #expect(try ProjectText().service("healthcheck: {test: x, disable: true}").healthCheck == nil)
    }

    @Test("Anchors and merge keys share fields, and a service's own fields win")
    func mergeKeys() throws {
        let file = """
            x-common: &common
              image: debian
              memory: 1G
            x-more: &more
              memory: 2G
              cpus: 4
            services:
              web:
                <<: [*common, *more]
                image: debian:sid
            """
        let settings = try ProjectText().read(file).services[0].settings
        #expect(settings.map(\.name) == ["image", "memory", "cpus"])
        #expect(settings.map(\.value) == [.text("debian:sid"), .text("1G"), .text("4")])
    }
}

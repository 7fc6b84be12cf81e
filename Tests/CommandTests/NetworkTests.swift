import Foundation
import GuestToolchain
import Synchronization
import TestSupport
import Testing

/// Debian's network, with servers on the host's loopback interface.
@Suite(
    "Debian's network", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil },
    .enabled("this host has no network interface for passt") { HostRoutes.hasDefault })
struct NetworkTests {
    /// A server of Perl's, which Debian always has: it answers each line, or datagram, with the same in capitals.
    private static func server(_ port: Int, udp: Bool = false) -> String {
        let socket = udp ? "Proto=>'udp'" : "Listen=>5,ReuseAddr=>1"
        let loop =
            udp
            ? "while ($s->recv($_,999)) { $s->send(uc $_) }"
            : "while ($c=$s->accept) { $_=<$c>; print $c uc $_; close $c }"
        return
            "perl -MIO::Socket::INET -e \"\\$s=IO::Socket::INET->new(LocalPort=>\(port),\(socket)); \(loop.replacing("$", with: "\\$"))\""
    }

    @Test("It is up before the first command, and carries data both ways", arguments: ["mmio", "pci"])
    func transfer(transport: String) throws {
        let data = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        let received = Received()
        let server = try LoopbackServer { connection in
            data.withUnsafeBytes { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = send(
                        connection, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                    guard count > 0 else { return }
                    rest = rest.dropFirst(count)
                }
            }
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = recv(connection, &buffer, buffer.count, 0), count > 0 {
                received.add(buffer[..<count])
            }
        }
        defer { server.stop() }
        let script = """
            exec 3<>/dev/tcp/host.aerie.internal/\(server.port) && head -c \(data.count) <&3 >/tmp/data && cat /tmp/data >&3; exec 3>&-
            sha256sum </tmp/data; cat /sys/class/net/eth0/mtu; ip -br -4 address show dev eth0; grep -c nameserver /etc/resolv.conf
            """
        let result = try DebianImage.run(["run", "--transport", transport, "debian", "bash", "-c", script])
        #expect(result.code == 0)
        #expect(result.output.contains("65520"))
        #expect(result.output.contains("10.0.2.15"))
        #expect(Patience.wait { received.count == data.count })
        #expect(received.bytes == data)
        #expect(result.error == "")
    }

    @Test(
        "A command right after the start of a machine finds the network up, or given up where no server answers",
        arguments: [("user", "10.0.2.15/24"), ("switch=crowd", ""), ("none", "")])
    func immediately(network: String, address: String) throws {
        let aerie = try AerieProcess()
        func run(_ words: String...) throws -> AerieResult {
            try aerie.run(words, environment: DebianImage.environment)
        }
        let started = try run("run", "--detach", "--name", "one", "--network", network, "debian")
        #expect(started.code == 0, "\(started.error)")
        defer { _ = try? run("rm", "--force", "one") }
        let script = "stat -c %s /run/aerie/booting; ip -4 -o address show scope global | tr -s ' ' | cut -d ' ' -f 4"
        let result = try run("exec", "one", "sh", "-c", script)
        #expect(result.output == "0\n" + (address.isEmpty ? "" : "\(address)\n"), "\(result.error)")
    }

    @Test("A published port leads to a server in the guest", arguments: [false, true])
    func published(udp: Bool) throws {
        let kind = udp ? SOCK_DGRAM : SOCK_STREAM
        let port = try LoopbackPort.free(kind)
        let aerie = try AerieProcess()
        let guest = try RunningProgram(
            [
                "run", "--stop-timeout", "1", "--publish", "\(port):7000\(udp ? "/udp" : "")", "debian", "sh", "-c",
                Self.server(7000, udp: udp),
            ], on: aerie, environment: DebianImage.environment)
        #expect(Patience.wait { LoopbackPort.ask(port, "hello\n", kind) == "HELLO\n" })
        // The guest's agent knows its addresses.
        let listed = try aerie.run(["ps", "--addresses"]).output.split(separator: "\n").map(String.init)
        try #require(listed.count == 2)
        #expect(listed[0].hasSuffix("ADDRESSES") && listed[1].contains("10.0.2.15"))
        let inspected = try aerie.run(["inspect", try aerie.run(["ps", "--quiet"]).output.filter { $0 != "\n" }])
        #expect(inspected.output.contains("\"address\" : \"10.0.2.15\""), "\(inspected.output)")
        // The port is the guest's as long as it runs, and free again afterwards.
        let second = try aerie.run(
            ["run", "--publish", "\(port):7000\(udp ? "/udp" : "")", "debian", "true"],
            environment: DebianImage.environment)
        #expect(second.code == 125)
        #expect(second.error.contains("--publish 127.0.0.1:\(port):7000"))
        #expect(second.error.contains("Address already in use"))
        guest.send(SIGTERM)
        _ = guest.readAll()
        _ = guest.end()
        let freed = Patience.wait {
            let descriptor = socket(AF_INET, Int32(kind.rawValue), 0)
            defer { close(descriptor) }
            return LoopbackPort.ask(port, "hello\n", kind) == nil
        }
        #expect(freed)
    }

    @Test("An egress policy lets only what it names through, and refuses the rest at once")
    func egress() throws {
        let allowed = try LoopbackServer { connection in _ = send(connection, "open\n", 5, Int32(MSG_NOSIGNAL)) }
        let refused = try LoopbackServer { connection in _ = send(connection, "leak\n", 5, Int32(MSG_NOSIGNAL)) }
        defer { allowed.stop() }
        defer { refused.stop() }
        let script = """
            cat </dev/tcp/host.aerie.internal/\(allowed.port)
            cat </dev/tcp/host.aerie.internal/\(refused.port); echo reset $?
            echo x >/dev/udp/host.aerie.internal/\(refused.port); getent ahostsv4 example.org; echo name $?
            getent ahostsv4 73656372657473.tunnel.example.net; echo tunnel $?
            cat </dev/tcp/198.51.100.1/80; echo address $?
            """
        let result = try DebianImage.run([
            "run", "--log-level", "info", "--allow-egress", "host.aerie.internal:\(allowed.port)", "debian", "bash",
            "-c",
            script,
        ])
        #expect(result.code == 0)
        // In a string, CR and LF are one character.
        let text = String(decoding: result.output.utf8.filter { $0 != 0x0D }, as: UTF8.self)
        #expect(text.contains("open\n"))
        #expect(!text.contains("leak"))
        #expect(result.error.contains("Connection refused"))
        #expect(text.contains("reset 1\n"))
        #expect(text.contains("name 2\n"))
        #expect(text.contains("tunnel 2\n"))
        #expect(text.contains("address 1\n"))
        #expect(allowed.connections == 1)
        #expect(refused.connections == 0)
        #expect(result.error.contains("refused TCP to 10.0.2.2 port \(refused.port)"))
        #expect(result.error.contains("refused UDP to 10.0.2.2 port \(refused.port)"))
        #expect(result.error.contains("refused the DNS query for example.org"))
        #expect(result.error.contains("refused the DNS query for 73656372657473.tunnel.example.net"))
    }

    @Test("Three guests on one switch reach each other and nothing else")
    func segment() throws {
        let aerie = try AerieProcess()
        var environment = DebianImage.environment
        environment["XDG_RUNTIME_DIR"] = aerie.directory.url.path
        let servers = try [1, 3].map { number in
            try RunningProgram(
                [
                    "run", "--stop-timeout", "1", "--network", "switch=lab", "debian", "sh", "-c",
                    "ip address add 192.168.7.\(number)/24 dev eth0; \(Self.server(7000))",
                ], on: aerie, environment: environment)
        }
        let script = """
            ip address add 192.168.7.2/24 dev eth0
            for peer in 3 1; do
                for try in $(seq 200); do exec 3<>/dev/tcp/192.168.7.$peer/7000 && break; sleep 0.2; done 2>/dev/null
                echo from guest 2 to $peer >&3; cat <&3
            done
            head -c 500000 /dev/zero | tr '\\0' a >/tmp/line; echo >>/tmp/line
            exec 3<>/dev/tcp/192.168.7.1/7000; cat /tmp/line >&3; cat <&3 | tr -d '\\n' | tr A a | cmp - <(tr -d '\\n' </tmp/line) && echo same
            ip route; echo neighbors $(ip neigh | grep -o 'lladdr [^ ]*' | sort -u | wc -l)
            """
        let result = try aerie.run(
            ["run", "--network", "switch=lab", "debian", "bash", "-c", script], environment: environment)
        #expect(result.code == 0)
        #expect(result.output.contains("FROM GUEST 2 TO 1"))
        #expect(result.output.contains("FROM GUEST 2 TO 3"))
        #expect(result.output.contains("neighbors 2"))
        #expect(result.output.contains("same"))
        #expect(!result.output.contains("default"))
        for server in servers { server.send(SIGTERM) }
        for server in servers {
            _ = server.readAll()
            _ = server.end()
        }
    }

    @Test(
        "A TAP interface carries data both ways, with the offloads of its card",
        .enabled("needs root and network namespaces") { TapNamespace.isPossible },
        arguments: ["mmio", "pci"])
    func tap(transport: String) throws {
        let script = """
            ip address add 192.168.9.2/24 dev eth0
            exec 3<>/dev/tcp/192.168.9.1/7000 && head -c 4000000 <&3 >/tmp/data && cat /tmp/data >&3; exec 3>&-
            sha256sum </tmp/data; ls -l /tmp/data; ethtool -k eth0 2>/dev/null; cat /sys/class/net/eth0/mtu
            """
        let result = try DebianImage.run(
            ["run", "--transport", transport, "--network", "tap=vm0", "debian", "bash", "-c", script],
            wrapper: TapNamespace.wrapper(serving: 4_000_000))
        #expect(result.code == 0)
        #expect(result.error == "")
        #expect(result.output.contains(try TapNamespace.digest(of: 4_000_000)))
        #expect(result.output.contains("1500"))
    }

    @Test("'up' leaves a service alone that runs and publishes a port")
    func servicePort() throws {
        let port = try LoopbackPort.free(SOCK_STREAM)
        let aerie = try AerieProcess()
        let text = "name: ports\nservices:\n  web: {image: debian, command: sleep infinity, ports: ['\(port):80']}\n"
        _ = try aerie.directory.file("aerie.yaml", Data(text.utf8))
        func run(_ words: String...) throws -> AerieResult {
            try aerie.run(words, environment: DebianImage.environment)
        }
        defer { _ = try? run("down", "--time", "0") }
        #expect(try run("up").output == "ports-web created\n")
        let second = try run("up")
        #expect(second.output == "ports-web unchanged\n", "\(second.error)")
    }

    @Test("Without passt a guest starts without a network, and one line says so")
    func withoutPasst() throws {
        var environment = DebianImage.environment
        environment["PATH"] = "/nowhere"
        let result = try AerieProcess().run(
            ["run", "debian", "sh", "-c", "ls /sys/class/net"], environment: environment)
        #expect(result.code == 0)
        #expect(!result.output.contains("eth0"))
        #expect(
            result.error
                == "aerie: network: passt is not installed, so the guest has no network; apt-get install passt, or use --network none\n"
        )
        let asked = try AerieProcess().run(["run", "--network", "user", "debian", "true"], environment: environment)
        #expect(asked.code == 69)
        #expect(asked.error.contains("passt is not installed"))
        let none = try AerieProcess().run(
            ["run", "--network", "none", "debian", "ls", "/sys/class/net"], environment: environment)
        #expect(none.code == 0)
        #expect(none.error == "")
    }
}

/// Bytes that a server's thread collects.
private final class Received: Sendable {
    private let data = Mutex<[UInt8]>([])

    func add(_ bytes: ArraySlice<UInt8>) { data.withLock { $0 += bytes } }
    var bytes: [UInt8] { data.withLock { $0 } }
    var count: Int { data.withLock(\.count) }
}

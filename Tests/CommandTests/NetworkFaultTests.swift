import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Networks of Debian guests that fail, and networks of hosts with IPv6.
@Suite(
    "Faults of networks, and IPv6", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct NetworkFaultTests {
    private static func passt(below process: Int32) -> Int32? {
        MachineProcesses.descendants(of: process).first { process in
            let name = (try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)) ?? ""
            return name.hasPrefix("passt")
        }
    }

    @Test(
        "passt is killed in the middle of a transfer: one line says so, and the guest's next connection works",
        .enabled("this host has no network interface for passt") { HostRoutes.hasDefault })
    func killedPasst() throws {
        let sink = ByteCount()
        let taking = try LoopbackServer { connection in
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = recv(connection, &buffer, buffer.count, 0), count > 0 { sink.add(count) }
        }
        defer { taking.stop() }
        let greeting = try LoopbackServer { _ = send($0, "AGAIN", 5, Int32(MSG_NOSIGNAL)) }
        defer { greeting.stop() }
        let script = """
            count=/sys/class/net/eth0/carrier_down_count; read -r before <$count
            exec 3<>/dev/tcp/10.0.2.2/\(taking.port) || exit; cat /dev/zero >&3 &
            until read -r now <$count; [ "$now" != "$before" ]; do sleep 0.1; done; echo down
            until exec 4<>/dev/tcp/10.0.2.2/\(greeting.port); do sleep 0.2; done 2>/dev/null; cat <&4; kill $!
            """
        let guest = try RunningProgram(
            ["run", "--no-snapshot", "debian", "bash", "-c", script], on: AerieProcess(),
            environment: DebianImage.environment)
        #expect(Patience.wait { sink.count > 1_000_000 })
        let passt = try #require(Self.passt(below: guest.identifier))
        kill(passt, SIGKILL)
        let output = String(decoding: guest.readAll(), as: UTF8.self)
        #expect(guest.end() == 0)
        #expect(output.contains("down"))
        #expect(output.contains("AGAIN"))
        let lines = guest.error.split(separator: "\n")
        #expect(lines.count == 2, "\(guest.error)")
        let down = "failed: it ended; the guest's network link is down until passt runs again"
        #expect(lines.first?.hasSuffix(down) == true)
        #expect(lines.last?.hasSuffix("passt runs again, and the guest's network link is up") == true)
    }

    /// A host with IPv6 and a server at an address of it, of which the guest is not a neighbor. Its programs may send echo requests.
    private static let namespace = """
        echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range
        ip link set lo up; ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up
        ip address add 192.0.2.2/24 dev up0; ip route add default via 192.0.2.1 dev up0
        ip -6 address add fd00:a::2/64 dev up0 nodad; ip -6 route add default via fd00:a::1 dev up0
        ip -6 address add fd00:b::1/128 dev lo nodad
        perl -MIO::Socket::IP -e '
            $s = IO::Socket::IP->new(LocalHost => "fd00:b::1", LocalPort => 7000, Listen => 5) or die "no server: $@";
            while ($c = $s->accept) { $_ = <$c>; print $c uc $_; close $c }' &
        server=$!
        "$@"
        code=$?
        kill $server
        exit $code
        """

    @Test(
        "A guest has an address and a router of IPv6 where the host has it, reaches a server, and gets answers by ICMP of both versions",
        .enabled("needs root, network namespaces, pairs of interfaces and settings that can be changed") {
            let probe = "ip link add up0 type veth peer name up1 && echo 0 1 >/proc/sys/net/ipv4/ping_group_range"
            return (try? HostProgram.run("/usr/bin/unshare", ["--net", "/bin/sh", "-c", probe]))?.status == 0
        })
    func version6() throws {
        let script = """
            for try in $(seq 600); do
                ip -6 route show default | grep -q via && ip -6 address show dev eth0 scope global -tentative | grep -q inet6 && break
                sleep 0.1
            done
            ip -6 address show dev eth0 scope global; exec 3<>/dev/tcp/fd00:b::1/7000 && echo from the guest >&3 && cat <&3
            for address in 192.0.2.2 fd00:b::1; do busybox ping -c 1 -W 60 $address; done
            """
        let result = try DebianImage.run(
            ["run", "--no-snapshot", "debian", "bash", "-c", script],
            wrapper: ["/usr/bin/unshare", "--net", "/bin/sh", "-c", Self.namespace, "sh"])
        #expect(result.code == 0, "\(result.error)")
        #expect(result.output.contains("inet6 fd00:a:"))
        #expect(result.output.contains("FROM THE GUEST"))
        #expect(result.output.contains("64 bytes from 192.0.2.2: "), "\(result.output)")
        #expect(result.output.contains("64 bytes from fd00:b::1: "), "\(result.output)")
    }
}

import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Network cards with a pair of queues for each of a Debian guest's harts, with interrupts of their own.
@Suite(
    "Multi-queue network cards of Debian", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct MultiQueueDebianTests {
    private static let size = 300_000

    /// Prints the card's queues and, by the hart on which a program is pinned, how much the program got from the server and whether the
    /// server got it back; then which receive queues have interrupted.
    private static func script(_ address: String, _ port: Int) -> String {
        """
        echo $(ls /sys/class/net/eth0/queues)
        for hart in 0 1 2 3; do
            taskset -c $hart bash -c 'exec 3<>/dev/tcp/\(address)/\(port)
                head -c \(size) <&3 >/tmp/data && cat /tmp/data >&3; exec 3>&-; echo hart '$hart' $(sha256sum </tmp/data)'
        done
        sed -n 's/^ *[0-9]*:\\([ 0-9]*\\).*-\\(input\\.[0-9]\\)$/\\2\\1/p' /proc/interrupts | while read -r name counts; do
            for count in $counts; do [ "$count" != 0 ] && echo "$name has interrupted" && break; done
        done
        """
    }

    private func check(_ result: AerieResult) throws {
        #expect(result.code == 0, "\(result.error)")
        #expect(result.error == "")
        let digest = try HostProgram.run(
            "/bin/sh", ["-c", "yes 0123456789abcdef | tr -d '\\n' | head -c \(Self.size) | sha256sum"])
        let sum = String(decoding: digest.output, as: UTF8.self).prefix(64)
        #expect(result.output.contains("rx-0 rx-1 rx-2 rx-3 tx-0 tx-1 tx-2 tx-3"))
        for hart in 0..<4 {
            #expect(result.output.contains("hart \(hart) \(sum)"))
            // A program's hart sends by its own pair, and what answers comes there.
            #expect(result.output.contains("input.\(hart) has interrupted"), "\(result.output)")
        }
    }

    private static let machine = ["--cpus", "4", "--transport", "pci", "--interrupts", "aia"]

    @Test(
        "By passt, frames come to the hart whose program talks",
        .enabled("this host has no network interface for passt") { HostRoutes.hasDefault })
    func passt() throws {
        let data = Array(String(repeating: "0123456789abcdef", count: Self.size / 16).utf8)
        let returned = Monitored()
        let server = try LoopbackServer { connection in
            var rest = data[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = recv(connection, &buffer, buffer.count, 0), count > 0 { returned.add(count) }
        }
        defer { server.stop() }
        try check(
            DebianImage.run(
                ["run", "--network", "user,queues=4"] + Self.machine
                    + ["debian", "bash", "-c", Self.script("10.0.2.2", Int(server.port))]))
        #expect(Patience.wait { returned.count == 4 * Self.size })
    }

    private static let namespace = """
        ip link set lo up; ip tuntap add vm0 mode tap multi_queue; ip address add 192.168.9.1/24 dev vm0; ip link set vm0 up
        perl -MIO::Socket::INET -e '
            $s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5, ReuseAddr => 1);
            while ($c = $s->accept) { print $c ("0123456789abcdef" x 18750); shutdown $c, 1; 1 while read $c, $_, 65536; close $c }' &
        server=$!
        "$@"
        code=$?
        kill $server
        exit $code
        """

    @Test(
        "By a TAP interface with several queues, frames come to the hart whose program talks",
        .enabled("needs root and network namespaces") {
            (try? HostProgram.run("/usr/bin/unshare", ["--net", "true"]))?.status == 0
        })
    func tap() throws {
        let script = "ip address add 192.168.9.2/24 dev eth0\n" + Self.script("192.168.9.1", 7000)
        try check(
            DebianImage.run(
                ["run", "--network", "tap=vm0,queues=4"] + Self.machine + ["debian", "bash", "-c", script],
                wrapper: ["/usr/bin/unshare", "--net", "/bin/sh", "-c", Self.namespace, "sh"]))
    }

    @Test(
        "A TAP interface that was made for one queue serves a card with several",
        .enabled("needs root and network namespaces") {
            (try? HostProgram.run("/usr/bin/unshare", ["--net", "true"]))?.status == 0
        })
    func singleQueue() throws {
        let script = "ip address add 192.168.9.2/24 dev eth0\n" + Self.script("192.168.9.1", 7000)
        try check(
            DebianImage.run(
                ["run", "--network", "tap=vm0,queues=4"] + Self.machine + ["debian", "bash", "-c", script],
                wrapper: [
                    "/usr/bin/unshare", "--net", "/bin/sh", "-c",
                    Self.namespace.replacing(" multi_queue", with: ""), "sh",
                ]))
    }
}

/// Bytes that a server's thread counts.
private final class Monitored: @unchecked Sendable {
    // @unchecked: the lock guards the sum.
    private let lock = NSLock()
    private var sum = 0

    func add(_ bytes: Int) { lock.withLock { sum += bytes } }
    var count: Int { lock.withLock { sum } }
}

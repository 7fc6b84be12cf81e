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
        let sum = try TapNamespace.digest(of: Self.size)
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
        let pattern = TapNamespace.pattern
        let data = Array(String(repeating: pattern, count: Self.size / pattern.utf8.count).utf8)
        let returned = ByteCount()
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

    @Test(
        "By a TAP interface with several queues, frames come to the hart whose program talks",
        .enabled("needs root and network namespaces") { TapNamespace.isPossible })
    func tap() throws {
        let script = "ip address add 192.168.9.2/24 dev eth0\n" + Self.script("192.168.9.1", 7000)
        try check(
            DebianImage.run(
                ["run", "--network", "tap=vm0,queues=4"] + Self.machine + ["debian", "bash", "-c", script],
                wrapper: TapNamespace.wrapper(serving: Self.size, isMultiQueue: true)))
    }

    @Test(
        "A TAP interface that was made for one queue serves a card with several",
        .enabled("needs root and network namespaces") { TapNamespace.isPossible })
    func singleQueue() throws {
        let script = "ip address add 192.168.9.2/24 dev eth0\n" + Self.script("192.168.9.1", 7000)
        try check(
            DebianImage.run(
                ["run", "--network", "tap=vm0,queues=4"] + Self.machine + ["debian", "bash", "-c", script],
                wrapper: TapNamespace.wrapper(serving: Self.size)))
    }
}

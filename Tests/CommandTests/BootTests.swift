import Foundation
import GuestToolchain
import TestSupport
import Testing

/// The agent as `/init` of the initial RAM disk: which root disk it takes, and how.
@Suite(
    "The initial RAM disk of Debian", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct BootTests {
    /// A run that boots, with words for the kernel.
    private func boot(_ words: String, _ command: [String] = ["true"]) throws -> AerieResult {
        try DebianImage.run(["run", "--network", "none", "--no-snapshot", "--append", words, "debian"] + command)
    }

    @Test("A root disk is found by its number and mounted with the options of the command line")
    func identifier() throws {
        let number = try boot("quiet", ["blkid", "-s", "UUID", "-o", "value", "/dev/vda"]).output.filter {
            !$0.isWhitespace
        }
        try #require(number.count == 36)
        let result = try boot(
            "aerie.root=UUID=\(number.uppercased()) aerie.rootflags=noatime,errors=remount-ro", ["cat", "/proc/mounts"])
        let root = result.output.split(separator: "\n").first { $0.contains(" / ext4 ") }
        let options = root?.split(separator: " ")[3].split(separator: ",") ?? []
        #expect(options.contains("noatime") && options.contains("rw"), "\(result.output)\(result.error)")
        #expect(options.contains("errors=remount-ro"))
    }

    @Test("With an overlay, changes go to memory over the disk, which is mounted for reading")
    func overlay() throws {
        let result = try boot(
            "aerie.overlay",
            ["sh", "-c", "echo kept >/file; cat /file; grep ' / ' /proc/mounts; ls /run/aerie/lower | grep -c file"])
        #expect(result.output.contains("kept\n"))
        #expect(result.output.contains(" / overlay rw,"))
        #expect(result.output.hasSuffix("\n0\n"), "\(result.output)\(result.error)")
    }

    @Test(
        "A system that is not there is named on the console, and the machine ends",
        arguments: [
            ("aerie.root=/dev/vdz", "the root disk /dev/vdz did not appear"),
            ("aerie.root=LABEL=none", "the root disk LABEL=none did not appear"),
            ("aerie.root=/dev/vdb", "the root disk /dev/vdb cannot be mounted: invalid argument"),
            ("init=/sbin/none", "there is no /sbin/none on the root disk"),
        ])
    func missing(words: String, message: String) throws {
        let directory = TemporaryDirectory()
        let disk = try directory.file("empty", [UInt8](repeating: 0, count: 1 << 20))
        // Without a command, what the guest prints on its console is the output.
        let result = try DebianImage.run(
            ["run", "--network", "none", "--no-snapshot", "--disk", disk, "--append", words, "debian"])
        #expect(result.output.contains("aerie: \(message); powering off"), "\(result.output)\(result.error)")
    }

    @Test("The system is on its root disk alone, and the agent in memory")
    func memory() throws {
        let result = try boot(
            "quiet",
            [
                "sh", "-c",
                "cat /proc/1/mountinfo; ls /run/aerie; cat /proc/sys/kernel/hostname /etc/hostname; ls -l /dev/fd /dev/stdin",
            ])
        #expect(!result.output.contains(" - rootfs "))
        #expect(result.output.contains("agent\n"))
        #expect(result.output.contains("/dev/fd -> /proc/self/fd"))
    }

    /// A DHCP server of Perl's that gives 192.168.9.77 for a minute.
    private static let server = #"""
        use IO::Socket::INET; use IO::Socket; $| = 1;
        $s = IO::Socket::INET->new(LocalPort => 67, Proto => "udp", Broadcast => 1, ReuseAddr => 1) or die $!;
        setsockopt $s, SOL_SOCKET, 25, "vm0\0";
        while ($s->recv($m, 1500)) {
            my ($type) = substr($m, 240) =~ /^\x35\x01(.)/s or next;
            my $kind = ord $type == 1 ? 2 : 5;
            my $reply = pack("C4 a4 n2 a4 a4 a4 a4 a16 x192 a4", 2, 1, 6, 0, substr($m, 4, 4), 0, 0x8000, "", pack("C4", 192, 168, 9, 77),
                pack("C4", 192, 168, 9, 1), "", substr($m, 28, 16), "\x63\x82\x53\x63")
                . pack("CCC", 53, 1, $kind) . pack("CCC4", 54, 4, 192, 168, 9, 1) . pack("CCN", 51, 4, 60) . pack("CCC4", 1, 4, 255, 255, 255, 0)
                . pack("CCC4", 3, 4, 192, 168, 9, 1) . pack("CCC8", 6, 8, 192, 168, 9, 1, 192, 168, 9, 2) . pack("CCa7", 15, 7, "example") . "\xff";
            $s->send($reply, 0, pack_sockaddr_in(68, INADDR_BROADCAST));
        }
        """#

    @Test(
        "Another network than the host's own is asked by busybox's client, which stays to renew the lease",
        .enabled("needs root and network namespaces") { TapNamespace.isPossible })
    func lease() throws {
        let directory = TemporaryDirectory()
        let program = try directory.file("server.pl", Data(Self.server.utf8))
        let network = """
            ip link set lo up; ip tuntap add vm0 mode tap; ip address add 192.168.9.1/24 dev vm0; ip link set vm0 up
            perl \(program) & server=$!
            "$@"; code=$?
            kill $server
            exit $code
            """
        let script = """
            ip -4 -o address show dev eth0; ip route; cat /etc/resolv.conf
            tries=0
            until pgrep -f 'udhcpc.*eth0' >/dev/null || [ $tries = 100 ]; do sleep 0.1; tries=$((tries + 1)); done
            pgrep -f 'udhcpc.*eth0' >/dev/null && echo renewed later
            """
        let result = try DebianImage.run(
            ["run", "--no-snapshot", "--network", "tap=vm0", "debian", "sh", "-c", script],
            wrapper: ["/usr/bin/unshare", "--net", "/bin/sh", "-c", network, "sh"])
        #expect(result.output.contains("inet 192.168.9.77/24"), "\(result.output)\(result.error)")
        #expect(result.output.contains("default via 192.168.9.1 dev eth0"))
        #expect(result.output.contains("search example\nnameserver 192.168.9.1\nnameserver 192.168.9.2\n"))
        #expect(result.output.contains("renewed later"))
    }
}

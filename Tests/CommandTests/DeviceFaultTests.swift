import Foundation
import GuestToolchain
import TestSupport
import Testing

/// What becomes of a Debian guest whose host takes a shared folder away, or does not read what the guest sends.
@Suite(
    "Faults of shared folders and of readers",
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct DeviceFaultTests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    private func run(_ words: String...) throws -> AerieResult {
        try aerie.run(words, environment: DebianImage.environment)
    }

    private func shell(_ script: String) throws -> AerieResult { try run("exec", "one", "sh", "-c", script) }

    /// Sends zeroes until a second passes in which nobody takes any, and prints how many were taken.
    private static let sender = #"""
        cat >/tmp/send.pl <<'END'
        use strict; use Socket; use Fcntl;
        my ($kind, $port) = @ARGV;
        my $to = $kind eq "vsock" ? pack("S S L L x4", 40, 0, $port, 2) : pack_sockaddr_in($port, inet_aton("10.0.2.2"));
        socket(my $s, $kind eq "vsock" ? 40 : AF_INET, SOCK_STREAM, 0) or die $!;
        connect($s, $to) or die "connect: $!";
        fcntl($s, F_SETFL, O_NONBLOCK);
        my ($sent, $data) = (0, "\0" x 65536);
        while (1) {
            my $ready = ""; vec($ready, fileno($s), 1) = 1;
            last if !select(undef, $ready, undef, 1);
            $sent += syswrite($s, $data) // die "send: $!";
            die "$sent bytes went to nobody" if $sent > 256 << 20;
        }
        $| = 1; print "$kind stalled\n"; sleep 1000;
        END

        """#

    @Test("A share that is gone is errors in the guest, and a reader that stalls stops its sender only")
    func faults() throws {
        let (work, gone) = (aerie.directory.url.appending(path: "work"), aerie.directory.url.appending(path: "gone"))
        for share in [work, gone] {
            try FileManager.default.createDirectory(at: share, withIntermediateDirectories: true)
            try Data("contents\n".utf8).write(to: share.appending(path: "file"))
        }
        let isOver = DispatchSemaphore(value: 0)
        let path = aerie.directory.path("vm.sock")
        let socket = try UnixServer("\(path)_5000") { _ in isOver.wait() }
        let network = try LoopbackServer { _ in isOver.wait() }
        defer {
            for _ in 0..<2 { isOver.signal() }
            socket.stop()
            network.stop()
        }
        let started = try run(
            "run", "-d", "--name", "one", "--share", "\(work.path):/work", "--share", "\(gone.path):/gone", "--vsock",
            path, "debian", "sleep", "100000")
        try #require(started.code == 0, "\(started.error)")
        defer { _ = try? run("rm", "--force", "one") }
        #expect(try shell("cat /work/file /gone/file").output == "contents\ncontents\n")

        try FileManager.default.removeItem(at: gone)
        #expect(try shell("touch /gone/other").error.contains("No such file or directory"))
        // The guest knows the name for a second.
        #expect(try Patience.wait { try shell("cat /gone/file").error.contains("No such file or directory") })
        #expect(try shell("umount /gone; cat /work/file").output == "contents\n")

        var kinds = ["vsock 5000"]
        if HostRoutes.hasDefault { kinds.append("tcp \(network.port)") }
        for (index, kind) in kinds.enumerated() {
            _ = try shell("\(Self.sender)perl /tmp/send.pl \(kind) >/tmp/sent\(index) 2>&1 </dev/null &")
            #expect(try Patience.wait { try shell("cat /tmp/sent\(index)").output.contains("\n") })
            #expect(try shell("cat /tmp/sent\(index)").output == "\(kind.split(separator: " ")[0]) stalled\n")
        }
        #expect(try run("pause", "one").code == 0)
        #expect(try run("resume", "one").code == 0)
        #expect(try shell("cat /work/file").output == "contents\n")
        #expect(try run("kill", "one").code == 0)
        #expect(try run("wait", "one").output.contains("137"))
    }
}

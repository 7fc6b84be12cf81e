import Foundation
import GuestToolchain
import Synchronization
import TestSupport
import Testing

/// Debian's sockets to its host, and its end by a watchdog.
@Suite(
    "Debian's sockets to its host", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct SocketTests {
    /// A client of a hundred connections, a server that sends everything back after the end of what it gets, and large transfers. Perl, which
    /// Debian always has, knows the numbers of AF_VSOCK only as numbers.
    private static let script = #"""
        cat >guest.pl <<'END'
        use strict; use Socket;
        sub address { pack "S S L L x4", 40, 0, $_[0], $_[1] }
        sub open_to { socket(my $s, 40, 1, 0) or die $!; connect($s, address($_[0], 2)) or die "connect: $!"; $s }
        sub all { my ($s) = @_; my $t = ""; 1 while sysread $s, $t, 65536, length $t; $t }
        sub put { my ($s, $d) = @_; my $o = 0; while ($o < length $d) { $o += syswrite($s, $d, length($d) - $o, $o) // die $! } }
        if ($ARGV[0] eq "serve") {
            socket(my $l, 40, 1, 0); bind($l, address(7000, 0xFFFFFFFF)) or die $!; listen($l, 128) or die $!;
            $SIG{CHLD} = "IGNORE";
            while (accept(my $c, $l)) { if (!fork) { close $l; put($c, all($c)); exit } close $c }
        } elsif ($ARGV[0] eq "hundred") {
            my @s = map { open_to(5000) } 1..100;
            put($s[$_], "$_:" x 1000) for 0..99;
            shutdown $_, 1 for @s;
            my $n = grep { all($s[$_]) eq "$_:" x 1000 } 0..99;
            print "echoed $n\n";
        } elsif ($ARGV[0] eq "wait") {
            all(open_to(5003));
        } elsif ($ARGV[0] eq "take") {
            my $s = open_to(5001); my $b; syswrite STDOUT, $b while sysread $s, $b, 65536;
        } else {
            my $s = open_to(5002); my $b; put($s, $b) while sysread STDIN, $b, 65536;
        }
        END
        perl guest.pl serve &
        perl guest.pl hundred
        perl guest.pl take | sha256sum
        head -c 50000000 /dev/zero | tr '\0' x | perl guest.pl give
        perl -e 'use Socket; socket(my $s, 40, 1, 0); connect($s, pack "S S L L x4", 40, 0, 5999, 2) or print "refused: $!\n"'
        perl guest.pl wait
        # A shorter watchdog, which nobody serves any more.
        pkill -f 'busybox watchdog'; sleep 0.3
        busybox watchdog -T 1 -t 500ms /dev/watchdog0; sleep 0.6
        pkill -KILL -f 'busybox watchdog'; sleep 600

        """#

    @Test("A hundred connections and large transfers go both ways, and the guest ends by its watchdog")
    func sockets() throws {
        let aerie = try AerieProcess()
        let path = aerie.directory.path("vm.sock")
        let data = (0..<50_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        let echo = try UnixServer("\(path)_5000") { connection in
            connection.write(connection.readAll()[...])
        }
        let give = try UnixServer("\(path)_5001") { $0.write(data[...]) }
        let received = Received()
        let take = try UnixServer("\(path)_5002") { connection in
            while case let part = connection.read(1 << 16), !part.isEmpty { received.add(part[...]) }
        }
        let isDone = DispatchSemaphore(value: 0)
        let end = try UnixServer("\(path)_5003") { _ in isDone.wait() }
        defer { for server in [echo, give, take, end] { server.stop() } }

        let disk = try aerie.directory.file("script", Data(Self.script.utf8))
        #expect(truncate(disk, 8192) == 0)
        let guest = try RunningProgram(
            [
                "run", "--vsock", "\(path),cid=77", "--watchdog", "poweroff", "--disk", "\(disk),readonly", "debian",
                "sh", "-c", "tr -d '\\0' </dev/vdb >load; . ./load",
            ], on: aerie, environment: DebianImage.environment)
        // The guest serves its port when it has booted.
        #expect(
            Patience.wait {
                guard let first = UnixConnection(toGuestPort: 7000, at: path) else {
                    // Every try is work for the guest that boots.
                    usleep(100_000)
                    return false
                }
                first.write([1, 2, 3])
                first.endSending()
                return first.readAll() == [1, 2, 3]
            })
        let same = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 100) { index in
            guard let connection = UnixConnection(toGuestPort: 7000, at: path) else { return }
            let bytes = data[(1000 * index)..<(1000 * index + 5000)]
            connection.write(bytes)
            connection.endSending()
            if connection.readAll()[...] == bytes { same.withLock { $0 += 1 } }
        }
        #expect(same.withLock { $0 } == 100)
        #expect(UnixConnection(toGuestPort: 7001, at: path) == nil)
        #expect(Patience.wait { received.count == 50_000_000 })
        #expect(received.isAll(UInt8(ascii: "x")))
        isDone.signal()
        let output = String(decoding: guest.readAll().filter { $0 != 0x0D }, as: UTF8.self)
        #expect(guest.end() == 70)
        #expect(output.contains("echoed 100\n"))
        #expect(output.contains(try Self.digest(data)), "\(output.suffix(2000))")
        #expect(output.contains("refused: Connection reset by peer\n"))
        #expect(
            guest.error == "aerie: running the guest: it did not serve its watchdog in time; its console may say more\n"
        )
        #expect(access(path, F_OK) != 0)
    }

    private static func digest(_ data: [UInt8]) throws -> String {
        let directory = TemporaryDirectory()
        let file = try directory.file("data", data)
        let result = try HostProgram.run("/usr/bin/sha256sum", [file])
        return String(String(decoding: result.output, as: UTF8.self).prefix(64))
    }

    /// Bytes that a server's threads collect.
    private final class Received: Sendable {
        private let state = Mutex((count: 0, values: Set<UInt8>()))

        func add(_ bytes: ArraySlice<UInt8>) {
            state.withLock { state in
                state.count += bytes.count
                state.values.formUnion(Set(bytes))
            }
        }

        var count: Int { state.withLock(\.count) }
        func isAll(_ byte: UInt8) -> Bool { state.withLock(\.values) == [byte] }
    }
}

import Foundation
import GuestToolchain
import TestSupport
import Testing

/// What a Debian guest finds after a fork. `SnapshotVerbTests` has what needs no Debian.
@Suite(
    "Forked Debian", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct ForkedGuestTests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    private func run(_ words: [String]) throws -> AerieResult {
        try aerie.run(words, environment: DebianImage.environment)
    }

    private func shell(_ name: String, _ script: String) throws -> [String] {
        let result = try run(["exec", name, "sh", "-c", script])
        #expect(result.code == 0, "\(result.error)")
        return result.output.split(separator: "\n").map(String.init)
    }

    /// The agent in a guest has the socket, which leads to the host's.
    private func reachSSHAgent(from name: String) throws {
        let path = aerie.directory.path("ssh-agent")
        let server = try UnixServer(path) { connection in
            let question = connection.read(100)
            connection.write((Array("agent: ".utf8) + question)[...])
        }
        defer { server.stop() }
        let script = """
            use IO::Socket::UNIX; $s = IO::Socket::UNIX->new($ENV{SSH_AUTH_SOCK}); print $s "sign"; print <$s>;
            """
        let environment = DebianImage.environment.merging(["SSH_AUTH_SOCK": path]) { $1 }
        let result = try aerie.run(["exec", "--ssh", name, "perl", "-e", script], environment: environment)
        #expect(result.output == "agent: sign", "\(result.error)")
    }

    /// What runs in the parent when it is forked: a program that checks files, one that waits, one with a lock, two that draw random numbers
    /// without end, and one with an address on the shared network.
    private static let work = """
        mkdir -p /etc/aerie/forked.d; printf '#!/bin/sh\\necho $1 >/root/forked\\n' >/etc/aerie/forked.d/note
        chmod 755 /etc/aerie/forked.d/note
        head -c 3000000 /dev/urandom >/root/data; sha256sum /root/data >/root/sum; sync
        exec </dev/null >/dev/null 2>&1
        (while :; do sha256sum -c --quiet /root/sum || echo bad >/root/bad; date >/tmp/tick; done) &
        (sleep 8; echo over >/tmp/slept) &
        (flock 9; while :; do sleep 1000; done) 9>/root/lock &
        (perl -e 'open F, "</dev/urandom"; $| = 1; while (sysread F, $b, 16) { print unpack("H*", $b), "\\n"; select undef, undef, undef, 0.02; }' >/root/read) &
        (perl -e '$| = 1; $b = " " x 16; while (syscall(278, $b, 16, 0) == 16) { print unpack("H*", $b), "\\n"; select undef, undef, undef, 0.02; }' >/root/drawn) &
        true
        """

    /// One line for each fact: names, random numbers, MAC addresses, then what has to be the same everywhere.
    private static let facts = """
        uname -n; cat /etc/machine-id 2>/dev/null || echo none; cat /proc/sys/kernel/random/uuid; head -c 16 /dev/urandom | od -An -tx1
        cat /sys/class/net/eth0/address /sys/class/net/eth1/address; ip -6 -o address show dev eth1 scope link | cut -d ' ' -f 7
        cat /root/forked 2>/dev/null || echo none
        dmesg | grep -c 'reseeded due to virtual machine fork'
        flock --nonblock /root/lock true && echo free || echo locked
        ip -4 -o address show dev eth0 | grep -c 10.0.2.15/24
        """

    @Test("Copies of a guest that works go on with its files and its programs, and each is somebody else")
    func copies() throws {
        let network = "switch=fork\(UInt16.random(in: 0...(.max)))"
        let start = try run(
            [
                "run", "--detach", "--name", "base", "--network", "user", "--network",
                "\(network),mac=52:54:00:00:00:01", "debian",
            ])
        #expect(start.code == 0, "\(start.error)")
        defer { _ = try? run(["rm", "--force", "base", "base-1", "base-2", "base-1-1"]) }
        _ = try shell("base", Self.work)
        // A connection from the host, which no copy has.
        let connection = try RunningProgram(
            ["exec", "base", "tail", "-f", "/dev/null"], on: aerie, environment: DebianImage.environment)
        let tails = "grep -lx tail /proc/[0-9]*/comm 2>/dev/null | wc -l"
        #expect(Patience.wait { (try? shell("base", tails)) == ["1"] })
        try reachSSHAgent(from: "base")

        #expect(try run(["fork", "base", "--count", "2"]).output == "base-1\nbase-2\n")
        #expect(try run(["fork", "base-1"]).output == "base-1-1\n")
        let names = ["base", "base-1", "base-2", "base-1-1"]
        try checkFacts(of: names)
        #expect(try shell("base", tails) == ["1"])
        for name in names.dropFirst() { #expect(Patience.wait { (try? shell(name, tails)) == ["0"] }) }
        withExtendedLifetime(connection) {}

        // The clock is this host's, whatever time the copy has not existed for.
        for name in names {
            let before = Date().timeIntervalSince1970
            let guest = Double(try shell(name, "date +%s.%N")[0]) ?? 0
            // The time is on its way to the guest for as long as this host is busy.
            #expect(guest > before - 5 && guest < Date().timeIntervalSince1970 + 5)
        }
        for name in names { #expect(Patience.wait { (try? shell(name, "cat /tmp/slept || true")) == ["over"] }) }

        try checkRandomNumbers(of: names)

        // Frames on the shared network reach each machine under its own address.
        for (index, name) in names.enumerated() {
            _ = try shell(name, "ip address add 10.9.0.\(index + 1)/24 dev eth1")
        }
        for name in names.dropFirst() { _ = try shell(name, "busybox ping -c 2 -W 5 10.9.0.1") }

        // The program that ran goes on in each, and the disks are each one's own.
        for name in names {
            let rest = try shell(
                name,
                "rm -f /tmp/tick; until [ -s /tmp/tick ]; do sleep 0.1; done; [ -e /root/bad ] || echo good; "
                    + "echo \(name) >/root/name; sync; echo 3 >/proc/sys/vm/drop_caches; sha256sum -c /root/sum")
            #expect(rest == ["good", "/root/data: OK"])
        }
        for name in names { #expect(try shell(name, "cat /root/name") == [name]) }
    }

    /// Each machine is somebody else, also for its kernel.
    private func checkFacts(of names: [String]) throws {
        let facts = try names.map { try shell($0, Self.facts) }
        try #require(facts.map(\.count) == [11, 11, 11, 11], "\(facts)")
        #expect(facts.map { $0[0] } == names)
        for column in 1...6 { #expect(Set(facts.map { $0[column] }).count == names.count, "\(facts)") }
        #expect(facts[0][5] == "52:54:00:00:00:01")
        // Unicast and locally administered, and what the host shows.
        for (name, fact) in zip(names, facts).dropFirst() {
            #expect(fact[4].hasPrefix("ae:") && fact[5].hasPrefix("ae:"))
            let inspected = try run(["inspect", name]).output
            #expect(inspected.contains(fact[4]) && inspected.contains(fact[5]))
        }
        #expect(facts.map { $0[7] } == ["none", "base-1", "base-2", "base-1-1"])
        // Of a fork of a fork, the kernel was told twice.
        #expect(facts.map { $0[8] } == ["0", "1", "1", "2"])
        #expect(facts.map { $0[9] } == Array(repeating: "locked", count: 4))
        #expect(facts.map { $0[10] } == Array(repeating: "1", count: 4))
    }

    /// Programs in the middle of drawing random numbers: after the fork, no two machines have a number in common.
    private func checkRandomNumbers(of names: [String]) throws {
        for path in ["/root/read", "/root/drawn"] {
            let drawn = try names.map { try shell($0, "head -n -1 \(path)") }
            for (index, mine) in drawn.enumerated() {
                for theirs in drawn[..<index] {
                    let common = zip(mine, theirs).prefix { $0 == $1 }.count
                    #expect(common > 0 && mine.count > common && theirs.count > common)
                    #expect(Set(mine[common...]).isDisjoint(with: theirs[common...]))
                }
            }
        }
    }
}

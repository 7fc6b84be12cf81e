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

    @Test("Copies of a guest that works go on with its files and its programs, and each is somebody else")
    func copies() throws {
        #expect(try run(["run", "--detach", "--name", "base", "debian"]).code == 0)
        defer { _ = try? run(["rm", "--force", "base", "base-1", "base-2", "base-1-1"]) }
        _ = try shell(
            "base",
            """
            mkdir -p /etc/aerie/forked.d; printf '#!/bin/sh\\necho $1 >/root/forked\\n' >/etc/aerie/forked.d/note
            chmod 755 /etc/aerie/forked.d/note
            head -c 3000000 /dev/urandom >/root/data; sha256sum /root/data >/root/sum; sync
            (while :; do sha256sum -c --quiet /root/sum || echo bad >/root/bad; date >/tmp/tick; done) </dev/null >/dev/null 2>&1 &
            """)
        try reachSSHAgent(from: "base")
        #expect(try run(["fork", "base", "--count", "2"]).output == "base-1\nbase-2\n")
        #expect(try run(["fork", "base-1"]).output == "base-1-1\n")
        let names = ["base", "base-1", "base-2", "base-1-1"]
        let facts = try names.map { name in
            try shell(
                name,
                """
                uname -n; cat /etc/machine-id 2>/dev/null || echo none; cat /proc/sys/kernel/random/uuid; head -c 16 /dev/urandom | od -An -tx1
                cat /root/forked 2>/dev/null || echo none; date +%s
                """)
        }
        try #require(facts.map(\.count) == [6, 6, 6, 6])
        #expect(facts.map { $0[0] } == names)
        for column in 1...3 { #expect(Set(facts.map { $0[column] }).count == names.count) }
        #expect(facts.map { $0[4] } == ["none", "base-1", "base-2", "base-1-1"])
        // The clock is this host's, whatever time the copy has not existed for.
        let now = Int(Date().timeIntervalSince1970)
        for fact in facts { #expect(abs((Int(fact[5]) ?? 0) - now) < 60) }

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
}

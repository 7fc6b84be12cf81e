import Foundation
import GuestToolchain
import TestSupport
import Testing

/// `aerie cp` dies at each state-changing system call (`CrashWalk`), in both directions, with the real agent on this host.
@Suite(
    "Copies killed at a system call", .serialized,
    .enabled("needs root on an x86-64 host, strace, and the right to trace") {
        NativeAgent.obstacle == nil && CallTracer.obstacle == nil
    })
struct CopyCrashTests {
    private let aerie: AerieProcess
    private let agent: NativeAgent

    init() async throws {
        aerie = try AerieProcess()
        agent = try await NativeAgent(aerie.directory.path("vm"), in: aerie.directory)
    }

    private func shell(_ script: String) throws -> String {
        let result = try HostProgram.run("/bin/sh", ["-c", "cd '\(aerie.directory.path)' && { \(script); }"])
        return String(decoding: result.output, as: UTF8.self)
    }

    /// Files of `there`, with temporary names left out, of which each is the old one or the new one as a whole.
    private func check(_ death: String) throws {
        let names = try shell("cd there && find . -type f | sort").split(separator: "\n").map(String.init)
        for name in names where !name.contains("/.aerie-cp-") {
            let same = try shell(
                "cmp -s there/\(name) new/\(name) && echo new; cmp -s there/\(name) old/\(name) && echo old")
            #expect(same == "new\n" || same == "old\n", "\(death): \(name)")
        }
        #expect(names.contains("./a") && names.contains("./d/b"), "\(death): a file is lost")
    }

    @Test(
        "A file is the old one or the new one, and the next copy is whole, wherever a copy is killed",
        arguments: ["to the guest", "from the guest"], ["a", "."])
    func killed(_ direction: String, _ source: String) throws {
        // Larger than what is under way at any moment: the agent grants 256 KB.
        _ = try shell(
            """
            mkdir -p old/d new/d; for f in a d/b; do head -c 1500000 /dev/urandom >new/$f; echo old >old/$f; done
            printf more >new/d/c; ln -s a new/link; cp -a old there
            """)
        let place = aerie.directory.path("there")
        let there = source == "a" ? "\(place)/a" : place
        let words =
            direction == "to the guest"
            ? ["cp", "new/\(source)", "vm:\(there)"] : ["cp", "vm:\(aerie.directory.path("new"))/\(source)", there]
        let list = aerie.directory.path("calls")
        let result = try aerie.run(words, wrapper: CallTracer.listing(to: list))
        try #require(result.code == 0, "\(result.error)")
        let walk = try CrashWalk("cp of \(source) \(direction)", list: list)
        #expect(walk.count > 0)
        try walk.forEach { call, death in
            _ = try shell("rm -rf there; cp -a old there")
            _ = try aerie.run(words, wrapper: CallTracer.killing(at: call))
            try check(death)
            if direction == "to the guest" {
                // The agent sees the end of the connection, and removes what is not complete.
                #expect(Patience.wait { (try? shell("find there -name '.aerie-cp-*'")) == "" }, "\(death)")
                try check(death)
            }
            let next = try aerie.run(words)
            #expect(next.code == 0, "\(death): \(next.error)")
            let compared = source == "a" ? "cmp new/a there/a" : "diff -r --exclude='.aerie-cp-*' new there"
            #expect(try shell("\(compared) && echo same") == "same\n", "\(death)")
        }
    }
}

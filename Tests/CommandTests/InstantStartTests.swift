import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// `aerie run debian COMMAND` from the image's snapshot. `InstantStoreTests` has the snapshots' cache.
@Suite(
    "Instant start of Debian", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct InstantStartTests {
    private let aerie: AerieProcess
    private let share: TemporaryDirectory

    init() throws {
        aerie = try AerieProcess()
        share = TemporaryDirectory()
        _ = try share.file("greeting", Data("hello\n".utf8))
    }

    /// The cache is this test's own.
    private func run(_ words: [String], input: String = "") throws -> AerieResult {
        var environment = DebianImage.environment
        environment["XDG_CACHE_HOME"] = aerie.directory.path("cache")
        return try aerie.run(
            ["run", "--share", "\(share.path):/work"] + words, input: input, environment: environment)
    }

    private func snapshots() -> [String] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: aerie.directory.path("cache/aerie/instant"))
        return (names ?? []).filter { !$0.hasPrefix(".") }
    }

    @Test(
        "The second command in an image goes on from where the first one began, as somebody else, and with what it is given"
    )
    func life() throws {
        // Each start of the kernel has a boot_id of its own.
        let facts = """
            cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; head -c 16 /dev/urandom | od -An -tx1; date +%s; ls /tmp
            cat /work/greeting; touch /tmp/mine /work/theirs
            """
        let first = try run(["debian", "sh", "-c", facts])
        #expect(first.code == 0, "\(first.error)")
        #expect(snapshots().count == 1)
        _ = try share.file("greeting", Data("good day\n".utf8))
        let script = "\(facts); cat; echo $KEY >&2; pwd >&2; exit 7"
        let later = try (1...2).map { number in
            try run(
                ["--env", "KEY=\(number)", "--workdir", "/srv", "debian", "sh", "-c", script],
                input: "typed \(number)\n")
        }
        let lines = ([first] + later).map { $0.output.split(separator: "\n").map(String.init) }
        try #require(lines.map(\.count) == [5, 6, 6], "\(lines)")
        #expect(Set(lines.map { $0[0] }).count == 1)
        for column in 1...2 { #expect(Set(lines.map { $0[column] }).count == 3) }
        let now = Int(Date().timeIntervalSince1970)
        for line in lines { #expect(abs((Int(line[3]) ?? 0) - now) < 120) }
        #expect(lines.map { $0[4] } == ["hello", "good day", "good day"])
        #expect(lines[1][5] == "typed 1" && lines[2][5] == "typed 2")
        #expect(later.map(\.code) == [7, 7])
        #expect(later.map(\.error) == ["1\n/srv\n", "2\n/srv\n"])
        #expect(FileManager.default.fileExists(atPath: share.path("theirs")))
        #expect(snapshots().count == 1)
        try damaged(lines[0][0])
    }

    @Test(
        "A guest that boots has the code of its image's snapshot, and so has the machine's next start; copies have their own"
    )
    func boot() throws {
        var environment = DebianImage.environment
        environment["XDG_CACHE_HOME"] = aerie.directory.path("cache")
        func run(_ words: String...) throws -> AerieResult { try aerie.run(words, environment: environment) }
        defer { _ = try? run("rm", "--force", "zero", "one", "one-1") }
        func begins(_ name: String, with code: String) throws -> Bool {
            let machine = try StateDirectory(environment: aerie.environment).find(name)
            let names = try FileManager.default.contentsOfDirectory(atPath: machine.directory)
            #expect(!names.contains { $0.hasPrefix("boot.code") })
            return try String(contentsOfFile: machine.file(Machine.logName), encoding: .utf8).contains(
                "it begins with \(code) code")
        }
        let settings = ["--detach", "--network", "none", "--log-level", "debug", "--name"]
        #expect(try aerie.run(["run"] + settings + ["zero", "debian"], environment: environment).code == 0)
        #expect(try !begins("zero", with: "its image's"))
        #expect(try run("run", "debian", "true").code == 0)
        // Other memory, other processors, and a command at the console: the code is the same.
        let words = ["one", "--memory", "600M", "--cpus", "2", "debian", "sleep", "1000"]
        #expect(try aerie.run(["run"] + settings + words, environment: environment).code == 0)
        #expect(try begins("one", with: "its image's"))
        let script = "seq 1 300000 | md5sum; uname -m; cat /proc/modules | cut -d' ' -f1 | grep -x ext4"
        let expected = "daef482d6c698625ab13d987d14e8781  -\nriscv64\next4\n"
        #expect(try run("exec", "one", "sh", "-c", script).output == expected)
        #expect(try run("fork", "one").output == "one-1\n")
        #expect(try begins("one-1", with: "the saved"))
        #expect(try run("exec", "one-1", "sh", "-c", script).output == expected)
        #expect(try run("restart", "one").code == 0)
        #expect(try begins("one", with: "its image's"))
        #expect(try run("exec", "one", "sh", "-c", script).output == expected)
    }

    /// A machine that cannot go on from the snapshot boots, and removes it.
    private func damaged(_ identity: String) throws {
        let state = aerie.directory.path("cache/aerie/instant/\(try #require(snapshots().first))/state")
        let file = try FileHandle(forUpdating: URL(filePath: state))
        try file.seek(toOffset: 2000)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 64))
        try file.close()
        let result = try run(["debian", "cat", "/proc/sys/kernel/random/boot_id"])
        #expect(result.code == 0 && result.error == "", "\(result.error)")
        #expect(result.output.utf8.count == 37 && result.output != "\(identity)\n")
        #expect(snapshots() == [])
    }
}

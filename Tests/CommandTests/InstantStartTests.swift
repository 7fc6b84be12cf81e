import Foundation
import GuestToolchain
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

import Foundation
import GuestToolchain
import Testing

/// `aerie image rm` and `prune` die at each state-changing system call (`CrashWalk`). `FailedBuildTests` kills builds.
@Suite(
    "Image verbs killed at a system call", .serialized,
    .enabled("needs strace and the right to trace") { CallTracer.obstacle == nil })
struct ImageCrashTests {
    private let aerie: AerieProcess
    private let (kept, gone, nameless): (TinyImage, TinyImage, TinyImage)

    init() throws {
        aerie = try AerieProcess()
        kept = try TinyImage("kept", for: aerie)
        gone = try TinyImage("gone", for: aerie)
        nameless = try TinyImage("nameless", for: aerie)
    }

    private var store: URL { aerie.directory.url.appending(path: "data/aerie/images") }

    private func names(_ path: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: store.appending(path: path).path)) ?? []
    }

    /// The images, one without a name, what a dead build has left, and a machine whose image is kept.
    private func prepare() throws {
        try gone.install()
        try nameless.install()
        let files = FileManager.default
        try files.removeItem(at: store.appending(path: "tags/riscv64/nameless/latest"))
        try files.createDirectory(at: store.appending(path: "building/dead/image"), withIntermediateDirectories: true)
        try Data().write(to: store.appending(path: "building/dead/image/root.raw"))
        try Data().write(to: store.appending(path: "building/dead.lock"))
    }

    private func check(_ death: String) throws {
        let listed = try aerie.run(["image", "ls", "--format", "json"])
        #expect(listed.code == 0 && listed.output.contains("kept:latest"), "\(death): \(listed.output)\(listed.error)")
        // An image is there as a whole, or not at all.
        let found = try aerie.run(["image", "inspect", "gone"])
        #expect(found.code == 0 || found.code == 64, "\(death): \(found.error)")
        let pruned = try aerie.run(["image", "prune"])
        #expect(pruned.code == 0, "\(death): \(pruned.error)")
        let rest = [kept.directory] + (found.code == 0 ? [gone.directory] : [])
        #expect(Set(names("objects")) == Set(rest.map { URL(filePath: $0).lastPathComponent }), "\(death)")
        #expect(names("building").allSatisfy { $0.hasSuffix(".lock") }, "\(death): \(names("building"))")
        let started = try aerie.run(["create", "--name", "one", "--network", "none", "kept"])
        #expect(started.code == 0, "\(death): \(started.error)")
        #expect(try aerie.run(["rm", "one"]).code == 0)
    }

    @Test(
        "An image is there as a whole or not at all, and the next prune takes the rest, wherever its verb is killed",
        arguments: [["rm", "gone"], ["prune"], ["prune", "--cache"]])
    func killed(_ verb: [String]) throws {
        try prepare()
        let list = aerie.directory.path("calls")
        let result = try aerie.run(["image"] + verb, wrapper: CallTracer.listing(to: list))
        try #require(result.code == 0, "\(result.error)")
        let walk = try CrashWalk("image \(verb.joined(separator: " "))", list: list)
        #expect(walk.count > 0)
        try walk.forEach { call, death in
            try prepare()
            _ = try aerie.run(["image"] + verb, wrapper: CallTracer.killing(at: call))
            try check(death)
        }
    }
}

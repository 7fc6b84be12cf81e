import Foundation
import GuestToolchain
import TestSupport
import Testing

/// A shared folder as Debian's programs use it: `Guests/share.py`.
@Suite(
    "Debian with a shared folder", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.programs.obstacle == nil })
struct ShareTests {
    private let directory = TemporaryDirectory()

    /// Files of several sizes, directories, links and modes.
    private func makeTree(_ root: URL) throws {
        let files = FileManager.default
        for number in 0..<20 {
            let inner = root.appending(path: "d\(number % 5)/e\(number)")
            try files.createDirectory(at: inner, withIntermediateDirectories: true)
            let data = Data((0..<number * 7919).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) })
            let file = inner.appending(path: "file-ä-\(number)")
            try data.write(to: file)
            try files.setAttributes(
                [.posixPermissions: [0o644, 0o600, 0o755, 0o444][number % 4]], ofItemAtPath: file.path)
            try files.createSymbolicLink(
                atPath: inner.appending(path: "link").path, withDestinationPath: "../\(number)")
        }
    }

    @Test("Programs find all there is to a file system, and host and guest see each other's files", arguments: ["pci"])
    func programs(transport: String) throws {
        let share = directory.url.appending(path: "share")
        try makeTree(share.appending(path: "tree"))
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Guests/share.py")
        try FileManager.default.copyItem(at: script, to: share.appending(path: "share.py"))
        let fixed = directory.url.appending(path: "fixed")
        try FileManager.default.createDirectory(at: fixed, withIntermediateDirectories: true)
        try Data("read only".utf8).write(to: fixed.appending(path: "file"))
        let aerie = try AerieProcess()
        let guest = try RunningProgram(
            [
                "run", "--transport", transport, "--network", "none", "--share", "\(share.path):/work", "--share",
                "\(fixed.path):/fixed/place:ro", "debian", "python3", "/work/share.py", "/work", "/fixed/place",
            ], on: aerie, environment: DebianImage.programs.environment)
        #expect(Patience.wait { FileManager.default.fileExists(atPath: share.appending(path: "ready").path) })
        try Data("first".utf8).write(to: share.appending(path: "from-host"))
        #expect(
            Patience.wait { (try? String(contentsOf: share.appending(path: "from-guest"), encoding: .utf8)) == "seen" })
        try Data("second version".utf8).write(to: share.appending(path: "from-host"))
        let output = String(decoding: guest.readAll(), as: UTF8.self)
        #expect(guest.end() == 0, "\(output)")
        for part in [
            "owners", "names", "unlinked", "mapped", "sqlite", "space", "many", "git", "read-only", "host",
        ] { #expect(output.contains("share \(part)"), "\(part): \(output)") }

        func contents(_ name: String) throws -> Data { try Data(contentsOf: share.appending(path: name)) }
        #expect(try contents("mapped")[4096..<4101] == Data("Jello".utf8))
        #expect(try contents("named") == Data("unnamed".utf8))
        #expect(try contents("direct") == contents("copied"))
        let attributes = try FileManager.default.attributesOfItem(atPath: share.appending(path: "owned").path)
        #expect((attributes[.ownerAccountID] as? UInt32) == geteuid())
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixed.path) == ["file"])
        let same = try HostProgram.run(
            "/usr/bin/diff",
            [
                "-r", "--no-dereference", "--exclude=.git", share.path + "/tree", share.path + "/back",
            ])
        #expect(same.status == 0, "\(String(decoding: same.output, as: UTF8.self))")
        try check(share.appending(path: "back").path)
    }

    /// git on the host takes the repository that the guest has made.
    private func check(_ repository: String) throws {
        guard FileManager.default.fileExists(atPath: "/usr/bin/git") else { return }
        let git = try HostProgram.run(
            "/usr/bin/git", ["-c", "safe.directory=*", "-C", repository, "fsck", "--strict"])
        #expect(git.status == 0, "\(String(decoding: git.output, as: UTF8.self))")
    }
}

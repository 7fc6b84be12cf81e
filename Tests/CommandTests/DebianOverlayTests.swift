import Foundation
import GuestToolchain
import Testing

@Suite(
    "Debian with an overlay", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct DebianOverlayTests {
    private let directory = TemporaryDirectory()

    private func run(_ overlay: String, _ command: String...) throws -> AerieResult {
        try DebianImage.run(["run", "--overlay", overlay, "debian"] + command)
    }

    private func disk(_ arguments: String...) throws -> AerieResult { try DebianImage.run(["disk"] + arguments) }

    @Test("Its changes are there at the next start, and the file systems in the overlay and in the image are sound")
    func changesStay() throws {
        let overlay = directory.path("work.qcow2")
        let tree = "mkdir /root/tree; cp -a /usr/share /root/tree; rm -r /root/tree/share/doc; sync"
        #expect(try run(overlay, "sh", "-c", tree).code == 0)
        let again = try run(overlay, "diff", "-rq", "--exclude=doc", "/usr/share", "/root/tree/share")
        #expect(again.code == 0, "\(again.output)")
        let check = try disk("check", overlay)
        #expect(check.code == 0, "\(check.output)")
        #expect(try disk("convert", "\(overlay),format=qcow2", directory.path("disk.raw")).code == 0)
        let system = try HostProgram.run("/usr/sbin/e2fsck", ["-f", "-n", directory.path("disk.raw")])
        #expect(system.status == 0, "\(String(decoding: system.output, as: UTF8.self))")
        // Without the overlay, the image is as it was.
        #expect(try DebianImage.run(["run", "debian", "--", "test", "-e", "/root/tree"]).code == 1)
    }

    @Test("The root disk and its file system grow, with an overlay and without")
    func growth() throws {
        let overlay = directory.path("large.qcow2")
        let blocks = ["df", "--output=size", "-k", "/"]
        func size(_ options: [String]) throws -> Int {
            let result = try DebianImage.run(["run"] + options + ["debian"] + blocks)
            #expect(result.code == 0, "\(result.error)")
            return try #require(result.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.last)
        }
        #expect(try size(["--disk-size", "8G"]) > 7 << 20)
        #expect(try size(["--overlay", overlay, "--disk-size", "8G"]) > 7 << 20)
        // It has grown for good.
        #expect(try size(["--overlay", overlay]) > 7 << 20)
        #expect(try disk("check", overlay).code == 0)
    }

    @Test("An overlay of another file, or of one that has changed or is gone, is refused")
    func wrongOverlays() throws {
        let base = try directory.file("base.raw", [UInt8](repeating: 0, count: 1 << 20))
        let other = directory.path("other.qcow2")
        #expect(try disk("create", other, "--backing", base).code == 0)
        let refused = try run(other, "true")
        #expect(refused.code == 65)
        #expect(refused.error.hasPrefix("aerie: disk image \(other): the image is an overlay of \(base), not of /"))
        try FileManager.default.removeItem(atPath: base)
        let gone = try run(other, "true")
        #expect(gone.code == 65)
        #expect(
            gone.error
                == "aerie: disk image \(other): its backing file \(base) cannot be opened (No such file or directory); put it back, "
                + "or convert the image where it is\n")
        let plain = directory.path("plain.qcow2")
        #expect(try disk("create", plain, "1M").code == 0)
        #expect(try run(plain, "true").error.contains("the image is not an overlay"))
    }
}

import Foundation
import GuestToolchain

/// An image in the form of Aerie's whose guest is a program of five instructions: it has a disk, and does not use it.
struct TinyImage {
    let name: String
    private let root: URL
    private let digest: String

    /// The image's files.
    var directory: String { root.appending(path: "objects/\(digest)").path }
    private var tag: URL { root.appending(path: "tags/riscv64/\(name)/latest") }

    /// Puts the image into the store of the tests' user, unless it is there.
    init(_ name: String = "tiny", for aerie: AerieProcess) throws {
        self.name = name
        root = aerie.directory.url.appending(path: "data/aerie/images")
        digest = name.utf8.map { String($0, radix: 16) }.joined()
        try install()
    }

    func install() throws {
        let files = FileManager.default
        let place = URL(filePath: directory)
        try files.createDirectory(at: place, withIntermediateDirectories: true)
        try GuestProgram.sleep.write(to: place.appending(path: "kernel"))
        try Data(count: 512).write(to: place.appending(path: "initrd"))
        try (Data("a root disk".utf8) + Data(count: 1 << 20)).prefix(1 << 20).write(
            to: place.appending(path: "root.raw"))
        try Data(manifest.utf8).write(to: place.appending(path: "manifest.json"))
        try files.createDirectory(at: tag.deletingLastPathComponent(), withIntermediateDirectories: true)
        try? files.removeItem(at: tag)
        try files.createSymbolicLink(atPath: tag.path, withDestinationPath: "../../../objects/\(digest)")
    }

    private var manifest: String {
        """
        {
          "architecture" : "riscv64", "commandLine" : "", "created" : "2026-01-01T00:00:00Z", "digest" : "\(digest)",
          "diskSize" : 1048576, "initrd" : "initrd", "kernel" : "kernel", "kernelRelease" : "6.12",
          "mirror" : "http://mirror.example/debian", "packages" : [], "reference" : "\(name):latest", "rootDisk" : "root.raw",
          "version" : 1
        }
        """
    }
}

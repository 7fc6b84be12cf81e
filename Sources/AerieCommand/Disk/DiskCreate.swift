internal import Aerie
internal import ArgumentParser
internal import DiskImages
internal import Foundation

struct DiskCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make an empty image, or an overlay of another one.",
        discussion: """
            Examples:
              aerie disk create data.qcow2 20G
              aerie disk create work.qcow2 --backing base.img,format=raw

            An overlay has the size of its backing file unless SIZE is given, and holds what is changed. Its backing file must not \
            change any more.
            """)

    @Argument(help: "The file to make, as FILE[,format=raw|qcow2].")
    var file: String

    @Argument(help: "The size of the disk, with K, M or G for powers of 1024.")
    var size: String?

    @Option(help: ArgumentHelp("Make a qcow2 overlay of this image, as FILE[,format=raw|qcow2].", valueName: "image"))
    var backing: String?

    @Option(help: ArgumentHelp("The size of a qcow2 image's clusters, 512 to 2M (default: 64K).", valueName: "size"))
    var clusterSize: String?

    @Flag(help: "Replace a file that is there.")
    var force = false

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let target = try DiskArgument(file)
        let wanted = try size.map(DiskArgument.size)
        let base = try backing.map { try DiskArgument($0) }
        guard base == nil || target.newFormat == .qcow2 else {
            throw AerieError(
                .usage, asked: "--backing", found: "\(target.path) is to be a raw image", advice: "add ',format=qcow2'")
        }
        guard clusterSize == nil || target.newFormat == .qcow2 else {
            throw AerieError(
                .usage, asked: "--cluster-size", found: "\(target.path) is to be a raw image",
                advice: "add ',format=qcow2'")
        }
        guard let size = try wanted ?? base.map({ try $0.open().size }) else {
            throw AerieError(
                .usage, asked: "disk create \(file)", found: "no size is given", advice: "add one, such as 8G")
        }
        var new = NewDisk(path: target.path, format: target.newFormat, size: size)
        if let clusterSize { new.clusterSize = try DiskArgument.clusterSize(clusterSize) }
        if let base {
            new.backing = try Qcow2Creation.Backing(
                name: Self.absolute(base.path), format: base.format ?? .raw, remembering: base.path)
        }
        new.replaces = force
        try new.make()
        print(target.path)
    }

    /// The image may be used from another directory.
    private static func absolute(_ path: String) -> String { URL(filePath: path).standardizedFileURL.path }
}

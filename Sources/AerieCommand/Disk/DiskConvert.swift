internal import ArgumentParser
internal import DiskImages

struct DiskConvert: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Copy an image into a new one of another format.",
        discussion: """
            Examples:
              aerie disk convert server.qcow2,format=qcow2 server.img
              aerie disk convert disk.img disk.qcow2

            What the source is based on is copied with it. Zeroes take no space.
            """)

    @Argument(help: "The image to read, as FILE[,format=raw|qcow2].")
    var source: String

    @Argument(help: "The file to make, as FILE[,format=raw|qcow2].")
    var target: String

    @Option(help: ArgumentHelp("The size of a qcow2 image's clusters, 512 to 2M (default: 64K).", valueName: "size"))
    var clusterSize: String?

    @Flag(help: "Replace a file that is there.")
    var force = false

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let argument = try DiskArgument(target)
        let image = try DiskArgument(source).open()
        var new = NewDisk(path: argument.path, format: argument.newFormat, size: image.size)
        if let clusterSize { new.clusterSize = try DiskArgument.clusterSize(clusterSize) }
        new.replaces = force
        let disk = new
        try DiskWork(title: argument.path, phase: "Copying").run { (progress) throws(DiskImageError) in
            try disk.make { (target) throws(DiskImageError) in
                try DiskCopy.copy(image, to: target, progress: progress)
            }
        }
        print(argument.path)
    }
}

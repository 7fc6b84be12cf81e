internal import ArgumentParser
internal import DiskImages

struct DiskResizing: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resize",
        abstract: "Give an image another size.",
        discussion: """
            Example:
              aerie disk resize data.qcow2,format=qcow2 40G

            The file systems on the disk stay as they are: a larger disk has room behind them.
            """)

    @Argument(help: "The image, as FILE[,format=raw|qcow2].")
    var file: String

    @Argument(help: "The new size, with K, M or G for powers of 1024.")
    var size: String

    @Flag(help: "Allow a smaller size. What lies behind it is lost.")
    var shrink = false

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let argument = try DiskArgument(file)
        let bytes = try DiskArgument.size(size)
        try DiskResize.resize(path: argument.path, format: argument.format, to: bytes, shrinks: shrink)
        print(argument.path)
    }
}

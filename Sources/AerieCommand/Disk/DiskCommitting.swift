internal import ArgumentParser
internal import DiskImages

struct DiskCommitting: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit",
        abstract: "Write an overlay's contents into its backing file.",
        discussion: """
            Example:
              aerie disk commit work.qcow2

            The backing file then reads as the overlay does, and other overlays of it are lost. The overlay stays, and is not needed \
            any more. A commit that was interrupted can be repeated: until then, the overlay reads as before.
            """)

    @Argument(help: "The qcow2 overlay.")
    var file: String

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let path = try DiskArgument(file).path
        var base = ""
        try DiskWork(title: path, phase: "Writing").run { (progress) throws(DiskImageError) in
            base = try DiskCommit.commit(path: path, progress: progress)
        }
        print(base)
    }
}

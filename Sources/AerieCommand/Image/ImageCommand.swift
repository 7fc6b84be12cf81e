internal import ArgumentParser
internal import Foundation
internal import GuestImages

/// The verbs of `aerie image`.
struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Build, list and remove images.",
        discussion: """
            Example:
              aerie image ls
            """,
        subcommands: [ImageBuild.self, ImageList.self, ImageInspect.self, ImageRemove.self, ImagePrune.self])
}

/// The images of the user who runs this program.
func userImageStore() throws(ImageError) -> ImageStore {
    ImageStore(directories: try ImageDirectories(environment: ProcessInfo.processInfo.environment))
}

/// The architecture of the images that a verb is about.
struct ImageArchitectureOption: ParsableArguments {
    @Option(help: ArgumentHelp("The image's architecture: riscv64 or x86_64.", valueName: "name"))
    var arch = "riscv64"

    func parsed() throws(ImageError) -> ImageArchitecture { try ImageArchitecture(parsing: arch) }
}

/// Which image a verb is about.
struct ImageSelection: ParsableArguments {
    @OptionGroup var architecture: ImageArchitectureOption

    @Argument(help: "The image, as NAME[:TAG].")
    var image: String

    func parsed() throws(ImageError) -> (ImageReference, ImageArchitecture) {
        (try ImageReference(parsing: image), try architecture.parsed())
    }
}

internal import ArgumentParser
internal import GuestImages

struct ImageRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove images.",
        discussion: """
            Example:
              aerie image rm debian:trixie
            """)

    @OptionGroup var architecture: ImageArchitectureOption

    @Argument(help: ArgumentHelp("Images, as NAME[:TAG].", valueName: "image"))
    var images: [String]

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let architecture = try architecture.parsed()
        let references = try images.map { try ImageReference(parsing: $0) }
        let store = try userImageStore()
        let removed = Result {
            try forEachName(references, name: \.description) {
                try store.remove($0, architecture, keeping: try imagesOfMachines())
            }
        }
        try InstantStart().prune(all: false)
        try removed.get()
    }
}

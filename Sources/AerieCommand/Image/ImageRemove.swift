internal import ArgumentParser
internal import GuestImages

struct ImageRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove an image.",
        discussion: """
            Example:
              aerie image rm debian:trixie
            """)

    @OptionGroup var selection: ImageSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let (reference, architecture) = try selection.parsed()
        try userImageStore().remove(reference, architecture, keeping: try imagesOfMachines())
        try InstantStart().prune(all: false)
        print(reference)
    }
}

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

    @Option(help: ArgumentHelp("The images' architecture: riscv64 or x86_64.", valueName: "name"))
    var arch = "riscv64"

    @Argument(help: ArgumentHelp("Images, as NAME[:TAG].", valueName: "image"))
    var images: [String]

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let architecture = try ImageArchitecture(parsing: arch)
        let references = try images.map { try ImageReference(parsing: $0) }
        defer { _ = try? InstantStart().prune(all: false) }
        try forEachName(references.map { "\($0)" }) { name in
            try userImageStore().remove(
                try ImageReference(parsing: name), architecture, keeping: try imagesOfMachines())
        }
    }
}

internal import ArgumentParser
internal import GuestImages

struct ImagePrune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove what no image needs: interrupted builds, and files without a name.",
        discussion: """
            Example:
              aerie image prune --cache
            """)

    @Flag(help: "Remove downloaded packages as well.")
    var cache = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    private struct Report: Encodable {
        let images: [String]
        let builds: Int
        let bytes: UInt64
    }

    func run() throws {
        let pruned = try userImageStore().prune(keeping: try imagesOfMachines(), cache: cache)
        switch format.format {
        case .json:
            try format.printJSON(Report(images: pruned.images, builds: pruned.builds, bytes: pruned.bytes))
        case .text:
            print("removed \(pruned.images.count) images and \(pruned.builds) builds, \(HumanSize.text(pruned.bytes))")
        }
    }
}

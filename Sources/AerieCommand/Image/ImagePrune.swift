internal import ArgumentParser
internal import GuestImages

struct ImagePrune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove what no image needs: interrupted builds, and files without a name.",
        discussion: """
            Snapshots that 'aerie run IMAGE COMMAND' has made go with their image, and when another version of this program made them.

            Example:
              aerie image prune --cache
            """)

    @Flag(help: "Remove downloaded packages and all snapshots of 'aerie run' as well.")
    var cache = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    private struct Report: Encodable {
        let images: [String]
        let builds: Int
        /// Of images just before their first command.
        let snapshots: Int
        let bytes: UInt64
    }

    func run() throws {
        let pruned = try userImageStore().prune(keeping: try imagesOfMachines(), cache: cache)
        let snapshots = try InstantStart().prune(all: cache)
        let bytes = pruned.bytes + snapshots.bytes
        switch format.format {
        case .json:
            try format.printJSON(
                Report(images: pruned.images, builds: pruned.builds, snapshots: snapshots.count, bytes: bytes))
        case .text:
            print(
                "removed \(pruned.images.count) images and \(pruned.builds) builds, and \(snapshots.count) snapshots for "
                    + "'aerie run', \(HumanSize.text(bytes))")
        }
    }
}

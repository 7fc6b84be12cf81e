internal import ArgumentParser
internal import Foundation
internal import GuestImages
internal import TextTables

struct ImageList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List the images.",
        discussion: """
            Example:
              aerie image ls --format json
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let images = try userImageStore().list()
        switch format.format {
        case .json: try format.printJSON(images.map(ImageSummary.init))
        case .text:
            let rows = images.map { image in
                [
                    "\(image.manifest.reference)", image.manifest.architecture.rawValue,
                    HumanSize.text(image.allocatedSize), image.manifest.created.formatted(.iso8601),
                ]
            }
            print(TextTable(titles: ["IMAGE", "ARCH", "SIZE", "CREATED"], rows: rows).text)
        }
    }
}

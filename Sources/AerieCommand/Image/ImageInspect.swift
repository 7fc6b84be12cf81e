internal import ArgumentParser
internal import Foundation
internal import GuestImages
internal import TextTables

struct ImageInspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show an image's manifest.",
        discussion: """
            Example:
              aerie image inspect debian --format json
            """)

    @OptionGroup var selection: ImageSelection
    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let (reference, architecture) = try selection.parsed()
        let image = try userImageStore().image(reference, architecture)
        let manifest = image.manifest
        switch format.format {
        case .json: try format.printJSON(manifest)
        case .text:
            let lines = [
                ("image", "\(manifest.reference)"), ("architecture", manifest.architecture.rawValue),
                ("created", manifest.created.formatted(.iso8601)), ("mirror", manifest.mirror),
                ("kernel", "\(image.kernelPath) (\(manifest.kernelRelease))"), ("initrd", image.initrdPath),
                ("root disk", "\(image.rootDiskPath) (\(HumanSize.text(manifest.diskSize)))"),
                ("command line", manifest.commandLine), ("packages", "\(manifest.packages.count)"),
                ("on this host", HumanSize.text(image.allocatedSize)), ("identity", image.identity),
            ]
            print(TextTable(rows: lines.map { [$0.0 + ":", $0.1] }).text)
        }
    }
}

internal import Aerie
internal import ArgumentParser
internal import Foundation
internal import GuestImages
internal import MachineSession

struct ImageBuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Build an image from Debian's packages.",
        discussion: """
            Example:
              aerie image build debian:trixie --arch riscv64 --package openssh-client
              aerie image build debian --init systemd --package docker.io --tag docker

            Packages come from the mirror that this host's apt uses, or from --mirror, and their signatures are verified. The \
            guest's own package sources name the same mirror.
            """)

    @OptionGroup var selection: ImageSelection

    @Option(
        name: .customLong("package"),
        help: ArgumentHelp("Install this package as well. Repeatable.", valueName: "name"))
    var packages: [String] = []

    @Option(help: ArgumentHelp("The archive's address, such as http://HOST/debian.", valueName: "url"))
    var mirror: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The root disk's size as the guest sees it (default: 4G).", valueName: "size"))
    var diskSize: String?

    @Option(
        name: .customLong("init"),
        help: ArgumentHelp(
            "Process 1 of the guests: aerie (default), a root shell without services, or systemd.", valueName: "init"))
    var initSystem: String?

    @Option(
        help: ArgumentHelp("Store the image under this name (default: that of its suite).", valueName: "image"))
    var tag: String?

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() async throws {
        let (reference, architecture) = try selection.parsed()
        var options = BuildOptions()
        options.packages = packages
        options.mirror = mirror
        if let initSystem {
            guard let system = InitSystem(rawValue: initSystem) else {
                throw AerieError(
                    .usage, asked: "--init \(initSystem)", found: "it is not a kind of init",
                    advice: "use aerie or systemd")
            }
            options.initSystem = system
        }
        if let tag { options.reference = try ImageReference(parsing: tag) }
        if let diskSize { options.diskSize = try RunSettings.size(diskSize, asked: "--disk-size").bytes }
        let image = try await ImageBuilding(reference, architecture, options).run()
        switch format.format {
        case .json: try format.printJSON(ImageSummary(image))
        case .text: print(image.manifest.reference)
        }
    }
}
